"""What any third process costs on this machine: one that only copies bytes, and nginx."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bench._go import ROOT
from bench._mcp_ways import Http, Stdio
from bench._rig import Rig, free_port

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

RELAY, NGINX = "a relay that only copies bytes", "nginx proxy_pass"
_SOURCE = Path(__file__).with_name("_relay.c")


def relayed(server: Sequence[str]) -> dict[str, Stdio]:
    """Return the way through a relay; none, and a word of it, without a C compiler.

    It is in C: the same in Go takes twice the CPU time for a call.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        print(f"{RELAY}: no C compiler here. On Debian: apt install gcc")
        return {}
    name = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    program = ROOT / "build" / "bench" / f"relay-{name}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)
    return {RELAY: Stdio((str(program), *server))}


@contextlib.contextmanager
def passed(address: str) -> Generator[dict[str, Http]]:
    """Start nginx before a server; none, and a word of it, where it is not installed."""
    if shutil.which("nginx") is None:
        print(f"{NGINX}: not installed here. On Debian: apt install nginx")
        yield {}
        return
    with Rig() as rig:
        port = free_port()
        path = rig.write("nginx_pass.conf", folder=rig.folder, port=port, upstream=address)
        started = rig.start("nginx", "nginx", "-c", path, "-e", rig.folder / "nginx.err")
        rig.until_listening(started, port)
        yield {NGINX: Http(f"127.0.0.1:{port}", [started.pid])}
