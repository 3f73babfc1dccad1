"""The Go toolchain on this machine: found, asked, and run with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.runtimes.goso._within import within

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TLS = ("NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_PLACES = ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "CC")
_MODULES = ("GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY")
_PRIVATE = ("GOPRIVATE", "GOINSECURE", "GOAUTH")
_HANDED_ON = frozenset((*_TLS, *_PROXIES, *_PLACES, *_MODULES, *_PRIVATE))
"""What of our environment Go may see: where to fetch modules, and nothing else."""
_ASK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: `code` is None if its time was over."""

    code: int | None
    output: str


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The `go` command at a path."""

    go: Path

    @classmethod
    def find(cls, go: str = "") -> Toolchain | None:
        """Return the one at `go`, beside this Python, or on the PATH; None if there is none."""
        beside = str(Path(sys.executable).parent)
        path = os.pathsep.join((beside, os.environ.get("PATH", os.defpath)))
        found = shutil.which(go or "go", path=path)
        return None if found is None else cls(Path(found))

    async def env(self, name: str, folder: Path) -> str:
        """Return what `go env` says; empty if it cannot be asked."""
        ran = await self.run(["env", name], folder, {"GOTOOLCHAIN": "local"}, _ASK_SECONDS)
        return ran.output.strip() if ran.code == 0 else ""

    async def run(
        self, arguments: Sequence[str], folder: Path, also: Mapping[str, str], seconds: float
    ) -> Ran:
        """Run it in a folder. Raises `OSError`. It and all that it started are gone afterwards."""
        environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        environment |= {"GOWORK": "off", "GOFLAGS": "-mod=mod -buildvcs=false", "CGO_ENABLED": "1"}
        process = await asyncio.create_subprocess_exec(
            str(self.go),
            *arguments,
            cwd=folder,
            env=environment | dict(also),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = await within(seconds, process.communicate())
            return Ran(process.returncode, output.decode("utf-8", "replace"))
        except TimeoutError:
            return Ran(None, f"go {arguments[0]} took longer than {seconds:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
