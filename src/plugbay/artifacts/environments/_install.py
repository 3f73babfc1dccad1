"""Fills an environment by pip or uv: wheels only, by their hashes, from where the operator says.

Installing a wheel runs none of its code. The operator's own configuration of pip or uv counts
where the settings say nothing: a proxy, certificates, an index of the house.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import resource
import shutil
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid, Problem, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SEEN = ("PIP_", "UV_", "SSL_", "REQUESTS_", "XDG_")
_PLAIN = ("PATH", "HOME", "LANG", "TMPDIR", "NETRC")
_LARGEST_FILE = 2 << 30
_UNREACHABLE = (
    *("NewConnectionError", "Temporary failure in name resolution", "Max retries exceeded"),
    *("Connection refused", "ReadTimeoutError", "error sending request", "dns error"),
)
_KEPT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where wheels come from. `index` is the URL of a package index (PEP 503), none: that which
    pip is configured for; `find_links` are directories or pages of wheels. `offline`: no index."""

    index: str = ""
    find_links: tuple[str, ...] = ()
    offline: bool = False
    seconds: float = 300.0

    def arguments(self) -> list[str]:
        """Return the options, which pip and uv have in common."""
        found = ["--no-index"] if self.offline else []
        if self.index and not self.offline:
            found += ["--index-url", self.index]
        for place in self.find_links:
            found += ["--find-links", os.path.expanduser(place)]
        return found

    def describe(self) -> str:
        """Say where it was looked."""
        places = ", ".join(self.find_links)
        index = "no index" if self.offline else self.index or "the index that pip is configured for"
        return f"{index}{f' and {places}' if places else ''}"


async def install(folder: Path, requirements: Path, source: Source) -> None:
    """Install a lock into an environment.

    Raises `Invalid` if the lock is at fault, `Unavailable` if something else is.
    """
    command = await _command(folder / "bin" / "python")
    options = ("--require-hashes", "--only-binary", ":all:", *source.arguments())
    code, said = await _run([*command, *options, "-r", str(requirements)], source.seconds)
    if code == 0:
        return
    if any(sign in said for sign in _UNREACHABLE):
        raise Unavailable(
            f"the wheels cannot be fetched now from {source.describe()}: {_reason(said)};"
            " try again, or set environments.find_links and environments.offline"
        )
    problem = Problem(
        "environment",
        "its environment cannot be built",
        f"wheels for {_interpreter()} with the locked hashes, from {source.describe()}",
        "it took too long" if code is None else _reason(said),
        _remedy(said),
    )
    raise Invalid(f"its environment cannot be built: {problem.found}", problems=(problem,))


async def _command(python: Path) -> list[str]:
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--quiet", "--link-mode", "copy", "--python", str(python)]
    # Without a retry pip would not say that an index did not answer.
    common = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2"]
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-I", "-m", "pip", "--python", str(python)]
        return [*pip, *common, "install"]
    code, said = await _run([str(python), "-I", "-m", "ensurepip"], 120.0)
    if code != 0:
        raise Unavailable(
            f"there is neither uv nor pip here, and ensurepip fails: {_reason(said)};"
            " install pip beside the gateway"
        )
    return [str(python), "-I", "-m", "pip", *common, "install"]


async def _run(command: Sequence[str], seconds: float) -> tuple[int | None, str]:
    """Run a program; return its exit code, None if it was late, and what it said."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_environment(),
        start_new_session=True,
    )
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
    try:
        async with asyncio.timeout(seconds):
            said, _ = await child.communicate()
    except TimeoutError:
        return None, ""
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
    return child.returncode, said.decode("utf-8", "replace")


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PLAIN or name.startswith(_SEEN) or name.lower().endswith("_proxy")
    }


def _reason(said: str) -> str:
    """Return the lines that say why; the last ones if none does."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [
        line
        for line in lines
        if line.startswith(("ERROR:", "error:", "\N{MULTIPLICATION SIGN}", "╰"))
    ]
    return " ".join(errors or lines[-3:])[:_KEPT] or "it said nothing"


def _remedy(said: str) -> str:
    if "DO NOT MATCH THE HASHES" in said or "ash mismatch" in said:
        return "the file is not the one that was locked: lock again, or find out who changed it"
    if "In --require-hashes mode" in said or "require-hashes" in said:
        return "the lock lacks what its own entries need: lock again, with all dependencies"
    return (
        "add wheels for this interpreter to the index or to environments.find_links;"
        " source distributions are not built"
    )


def _interpreter() -> str:
    return f"Python {sys.version_info.major}.{sys.version_info.minor} on {os.uname().machine}"
