"""A whole gateway as subprocesses: supervisor, workers, sample upstream; all on free ports."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from plugbay.artifacts import build_wheel
from plugbay.cli._client import AdminClient, ApiError
from plugbay.cli._sign_in import sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEADLINE = 120.0


def wait_for(
    what: str, condition: Callable[[], Any], *, seconds: float = DEADLINE, every: float = 0.02
) -> Any:
    """Poll until `condition` is true and return what it returned; raise `TimeoutError`."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not after {seconds:g} s")
        time.sleep(every)
    return value


class Upstream:
    """The sample upstream, `plugbay.demo`, on a free port; or another module that says where."""

    def __init__(self, *module: str) -> None:
        command = [sys.executable, "-m", *(module or ("plugbay.demo", "--port", "0"))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.address = line.split()[-1].removeprefix("http://").rstrip("/")

    def close(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE)


class Gateway:
    """`plugbay serve` with one route to the sample upstream, signed in as admin."""

    def __init__(self, *, workers: int = 1, settings: str = "", upstream: Upstream | None = None):
        self._stack = contextlib.ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="plugbay-bench-"))
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.upstream = upstream or Upstream()
        if upstream is None:
            self._stack.callback(self.upstream.close)
        self.config = self.folder / "gateway.toml"
        self.config.write_text(
            f'data_dir = "{self.data}"\nworkers = {workers}\n{settings}\n'
            '[[listeners]]\naddress = "127.0.0.1:0"\n'
            '[admin]\naddress = "127.0.0.1:0"\n'
            "requests_per_minute = 100000\nuploads_per_minute = 100000\n"
            '[metrics]\naddress = "127.0.0.1:0"\n'
            '[[upstreams]]\nname = "sample"\n'
            f'[[upstreams.targets]]\naddress = "{self.upstream.address}"\n'
            '[[routes]]\nname = "all"\nupstream = "sample"\n'
        )
        self.log = self.folder / "log"
        self.said = ""
        """The end of the log, when its file has gone with the gateway."""
        self.process: subprocess.Popen[bytes]
        self.facts: Mapping[str, Any] = {}
        self.client: AdminClient

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        password = (self.data / "first-password").read_text().strip()
        self.client = AdminClient(self.admin_url, sign_in(self.admin_url, "admin", password))
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self.said = self.last_words()
            self._stack.close()

    def last_words(self, characters: int = 8000) -> str:
        """Return the end of the log: what there is to see when something went wrong."""
        try:
            return self.log.read_text(errors="replace")[-characters:]
        except OSError:
            return self.said

    def start(self) -> None:
        """Start the supervisor and wait until it is ready."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "plugbay", "serve"]
        command += ["--config", str(self.config), "--ready-file", str(ready)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

        def is_ready() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"the gateway ended:\n{self.last_words()}")
            return ready.exists()

        wait_for("the gateway is ready", is_ready)
        self.facts = json.loads(ready.read_text())

    def stop(self) -> None:
        """Ask it to stop and wait for that; then make sure that no worker is left."""
        self.process.terminate()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # By /proc and not by the API: after a crash there may be nobody to ask.
        for pid in workers_of(self.data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        """Start again after a crash. The admin API is at another port then."""
        self.start()
        self.client = AdminClient(self.admin_url, self.client.token)

    @property
    def address(self) -> str:
        """Where clients connect."""
        return str(self.facts["listeners"][0])

    @property
    def admin_url(self) -> str:
        """Where the admin API is."""
        return str(self.facts["admin_url"])

    def worker_pids(self) -> list[int]:
        """Return the workers' process ids, as the admin API tells them."""
        return [worker["pid"] for worker in self.client.call("GET", "/workers").json["items"]]

    def push(self, project: Path) -> Mapping[str, Any]:
        """Build and upload a plugin; return the artifact."""
        out = Path(tempfile.mkdtemp(dir=self.folder))
        artifact: Mapping[str, Any] = self.client.upload(build_wheel(project, out)).json
        return artifact

    def put(self, plugin: str, **content: object) -> Mapping[str, Any]:
        """Ask for a plugin's desired state; return the operation when every worker has it."""
        return self.change("PUT", f"/plugins/{plugin}", content)

    def change(self, method: str, path: str, content: object = None) -> Mapping[str, Any]:
        """Make a change and return its operation when every worker has it, or it has failed."""
        headers: dict[str, str] = {}
        if method == "PUT":
            with contextlib.suppress(ApiError):
                headers["if-match"] = self.client.call("GET", path).headers["etag"]
        operation = self.client.call(method, path, content or {}, headers=headers).json
        return self.operation(operation["id"], lambda o: o["finished"] or o["state"] == "draining")

    def operation(
        self, id: str, until: Callable[[Mapping[str, Any]], bool] = lambda o: bool(o["finished"])
    ) -> Mapping[str, Any]:
        """Return an operation as soon as it is as wanted; by default when it has ended."""
        found: Mapping[str, Any] = {}

        def look() -> bool:
            nonlocal found
            found = self.client.call("GET", f"/operations/{id}").json
            return until(found)

        wait_for(f"operation {id}", look, seconds=120, every=0.005)
        return found


def workers_of(data: Path) -> list[int]:
    """Return the process ids of the workers on a data directory, also of orphaned ones."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                if b"plugbay.app.worker" in command and f'"{data}"'.encode() in command:
                    found.append(int(folder.name))
    return found


def write_plugin(
    folder: Path, plugin: str, version: str, source: str, manifest: str = "", cls: str = "Main"
) -> Path:
    """Write a plugin project and return its folder."""
    package = f"plugbay_{plugin.replace('-', '_')}"
    inside = folder / "src" / package
    inside.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        f'[project]\nname = "plugbay-{plugin}"\nversion = "{version}"\n'
        'requires-python = ">=3.11"\n'
    )
    (inside / "__init__.py").write_text(source)
    (inside / "plugbay.toml").write_text(
        f'id = "{plugin}"\nversion = "{version}"\napi = 1\nruntime = "python"\n'
        f'entry = "{package}:{cls}"\n{manifest}'
    )
    return folder
