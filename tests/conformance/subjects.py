"""Each runtime under test, and the same plugins written for each of them.

A runtime joins the suite with one `Subject`: how it is made, and how a plugin of each kind is
packed for it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bench._go import ROOT, build_go

from plugbay.kernel import LoadRequest, PluginError
from plugbay.runtimes import PythonRuntime
from plugbay.runtimes.process import ProcessRuntime
from plugbay.sdk import Manifest
from plugbay.sdk.testing import FakeHost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from plugbay.kernel import Runtime
    from plugbay.sdk import Capability

PYTHON = '''
from __future__ import annotations
import asyncio, json
from dataclasses import dataclass
from plugbay.sdk import Plugin, Request, RequestFilter, Response, ResponseFilter, Stateful
from plugbay_subject import kind


@dataclass(frozen=True, slots=True)
class Config:
    """`fail` names the step that raises, `hang` the one that never ends."""

    greeting: str = "hello"
    fail: str = ""
    hang: str = ""


class Subject(Plugin[Config], RequestFilter, ResponseFilter, Stateful):
    def __init__(self, config, host):
        super().__init__(config, host)
        self.count = 0

    async def step(self, name):
        self.host.log.info(name)
        if self.config.hang == name:
            await asyncio.Event().wait()
        self.check(name)

    def check(self, name):
        if self.config.fail == name:
            raise RuntimeError(f"{name} was told to fail")

    async def start(self):
        await self.step("start")

    async def stop(self):
        await self.step("stop")

    async def health(self):
        await self.step("health")

    async def on_request(self, request: Request) -> Response | None:
        self.check("on_request")
        self.count += 1
        request.headers.set("x-count", str(self.count))
        if request.path == "/answer":
            return Response.text(f"{self.config.greeting} from {kind.VERSION}", 418)
        return None

    def on_response(self, request: Request, response: Response) -> None:
        response.headers.set("x-version", kind.VERSION)

    def snapshot(self) -> bytes:
        self.check("snapshot")
        return json.dumps({"count": self.count}).encode()

    def restore(self, state: bytes) -> None:
        self.check("restore")
        self.count = json.loads(state)["count"]
'''
PROVIDES: tuple[Capability, ...] = ("request-filter", "response-filter", "stateful")


def pack_python(folder: Path, version: str) -> Path:
    """Unpack the subject as a wheel of this version."""
    package = folder / f"python-{version}" / "plugbay_subject"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PYTHON)
    (package / "kind.py").write_text(f"VERSION = {version!r}\n")
    return package.parent


def break_python(folder: Path) -> Path:
    """Unpack a subject that cannot be loaded."""
    payload = pack_python(folder, "broken")
    (payload / "plugbay_subject" / "kind.py").write_text("raise ImportError('it is broken')\n")
    return payload


def pack_go(folder: Path, version: str) -> Path:
    """Build the subject as a program of this version; `folder` is not used, builds are shared."""
    del folder
    return build_go(ROOT / "tests/go/subject", version=version)


def break_go(folder: Path) -> Path:
    """Build a subject that ends before it serves."""
    return pack_go(folder, "broken")


def no_digest(payload: Path, generation: int) -> str:
    """Return what stands for the digest of a directory."""
    return f"{generation:064x}"


def digest_of(payload: Path, generation: int) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(payload.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Subject:
    """One runtime: how to make it, its name and entry in a manifest, and how to pack for it.

    `error` is what the plugin's own errors are raised as; `digest` tells an artifact's.
    """

    name: Literal["python", "process", "goso"]
    make: Callable[[], Runtime]
    entry: str
    pack: Callable[[Path, str], Path]
    spoil: Callable[[Path], Path]
    error: type[Exception] = Exception
    digest: Callable[[Path, int], str] = no_digest

    def request(
        self, payload: Path, *, generation: int = 1, config: Mapping[str, Any] | None = None
    ) -> LoadRequest:
        """Ask for one generation of the subject."""
        manifest = Manifest(
            id="subject",
            version="1.0.0",
            api=1,
            runtime=self.name,
            entry=self.entry,
            provides=PROVIDES,
        )
        host = FakeHost("subject", "1.0.0", generation)
        return LoadRequest(
            manifest=manifest,
            payload=payload,
            digest=self.digest(payload, generation),
            config=config or {},
            host=host,
            generation=generation,
        )


SUBJECTS = (
    Subject("python", PythonRuntime, "plugbay_subject:Subject", pack_python, break_python),
    Subject("process", ProcessRuntime, "plugbay", pack_go, break_go, PluginError, digest_of),
)
