"""A home with plugins: the Go console logger, and Python programs of the same contract."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench._go import ROOT, build_go
from typer.testing import CliRunner, Result

from plugbay.app._clock import SystemClock
from plugbay.cli._km import build_km
from plugbay.cli._root import build
from plugbay.km import KmConfig, KmSystem, Voice, discover
from plugbay.km._config import LimitsConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.kernel import Clock

PROGRAM = Path(__file__).with_name("program.py.txt")
KEY = "test-api-key-1234567890"


@dataclass
class Told:
    """What a Python plugin was told."""

    path: Path

    def __call__(self, what: str = "") -> list[dict[str, Any]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        found = [json.loads(line) for line in lines]
        return [one for one in found if what in ("", one["what"])]

    def beside(self, name: str) -> Path:
        return self.path.with_name(self.path.name + name)


@dataclass
class Home:
    """A user's home directory."""

    path: Path
    lines: list[str] = field(default_factory=list)

    @property
    def plugins(self) -> Path:
        folder = self.path / ".km" / "plugins"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def install(self, program: Path, name: str = "console-logger", **manifest: Any) -> Path:
        target = self.plugins / f"km-plugin-{name}"
        shutil.copy(program, target)
        target.chmod(0o755)
        if manifest:
            (self.plugins / f"{name}.manifest.json").write_text(json.dumps(manifest))
        return target

    def write(self, name: str = "watcher", folder: Path | None = None, **about: Any) -> Told:
        """Install a Python plugin."""
        told = Told(self.records / f"{name}.jsonl")
        known = {
            "name": name,
            "version": "2.1.0",
            "tier": "Free",
            "user_tier": "Free",
            "authorized": True,
            "key": KEY,
            "lasts": 3600,
            "dies": "never",
            "hangs": False,
            "tells": False,
            "record": str(told.path),
        }
        text = PROGRAM.read_text().format(python=sys.executable, about=json.dumps(known | about))
        target = (folder or self.plugins) / f"km-plugin-{name}"
        target.write_text(text)
        target.chmod(0o755)
        if not self.config.exists():
            self.configure("")
        return told

    @property
    def config(self) -> Path:
        return self.path / ".plugbay" / "km.toml"

    @property
    def records(self) -> Path:
        """Where the plugins in Python write; they may write nowhere else."""
        folder = self.path / "records"
        folder.mkdir(exist_ok=True)
        return folder

    def configure(self, text: str) -> None:
        limits = self.limits()
        own = (
            f"readable = {json.dumps(limits.readable)}\nwritable = {json.dumps(limits.writable)}\n"
        )
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(f"{text}\n[limits]\n{own}")

    def limits(self) -> LimitsConfig:
        """What the plugins in Python need: this source, and where they write."""
        return LimitsConfig(readable=(str(ROOT / "src"),), writable=(str(self.records),))

    def system(
        self, config: KmConfig | None = None, key: str = KEY, clock: Clock | None = None
    ) -> KmSystem:
        voice = Voice(self.lines.append, debugging=True)
        found, _ = discover([self.plugins])
        config = replace(config or KmConfig(), limits=self.limits())
        return KmSystem(found, voice, clock or SystemClock(), key, config)

    def environment(self, **more: str) -> dict[str, str]:
        own = {"HOME": str(self.path), "PLUGBAY_STATE_DIR": str(self.path / "state")}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("KM_")}
        return {**kept, **own, "KM_API_KEY": KEY, **more}

    def km(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the command `km` to its end."""
        return subprocess.run(
            [*KM, *arguments],
            env=self.environment(**more),
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )

    def session(self, said: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `km monitor` before a server that says `TEST`, until `km` has said this.

        At the end of a session it waits a few seconds only for plugins that are being loaded.
        """
        with self.monitoring("cat", **more) as process:
            assert process.stdin is not None
            process.stdin.write(f"{TEST}\n")
            process.stdin.flush()
            end = time.monotonic() + 100
            while said not in self.stderr:
                assert process.poll() is None, self.stderr
                assert time.monotonic() < end, self.stderr
                time.sleep(0.02)
        return self.ended(process)

    def shell(self, told: Told, command: str) -> subprocess.CompletedProcess[str]:
        """Run `km monitor` before a shell command, which begins when the plugin runs."""
        waits = f"until grep -qs initialize {told.path}; do sleep 0.05; done"
        with self.monitoring("sh", "-c", f"{waits}; {command}") as process:
            process.wait(100)
        return self.ended(process)

    @contextlib.contextmanager
    def monitoring(self, *server: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        """Run `km monitor`; kill it if something is wrong."""
        with (self.path / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                [*KM, "monitor", "--server", "--", *server],
                env=self.environment(**more),
                cwd=self.path,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            yield process
        except BaseException:
            process.kill()
            process.communicate()
            raise

    def ended(self, process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        """Wait for the end, and return what was said."""
        out, _ = process.communicate(timeout=100)
        code = process.returncode
        return subprocess.CompletedProcess(process.args, code, out, self.stderr)

    @property
    def stderr(self) -> str:
        """What the last `km monitor` has said."""
        return (self.path / "stderr").read_text(encoding="utf-8")

    def cli(self, *arguments: object, **more: str) -> Result:
        """Run a command of `km` or `plugbay` in this process, which is faster."""
        environment = {**self.environment(**more), "KM_DEBUG": None}
        root = build() if arguments[0] in ("bundle", "keygen", "sign") else build_km()
        return CliRunner().invoke(root, [str(one) for one in arguments], env=environment)


TEST = '{"jsonrpc":"2.0","method":"test"}'
KM = (sys.executable, "-c", "from plugbay.cli import km; km()")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "home"
    folder.mkdir()
    return Home(folder)


@pytest.fixture(scope="session")
def console_logger() -> Path:
    return build_go(ROOT / "go/examples/km")


async def until(condition: Any, patience: float = 100.0) -> None:
    """Wait for a condition, with a deadline."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it has not come true"
        await asyncio.sleep(0.02)
