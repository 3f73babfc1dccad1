"""What there is to reach outside, and what a prisoner may make of it on this host."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

REFUSED = {"EACCES", "EPERM", "ENOENT", "EROFS"}
"""How the kernel refuses a file: by Landlock, by rights, because it is covered or read-only."""
BEYOND = {"ENETUNREACH", "ECONNREFUSED", "EACCES", "EPERM"}
BOMB = 400


@dataclass(frozen=True)
class Aims:
    """A gateway's secrets and sockets, as a plugin would look for them."""

    data: Path
    outside: Path
    plain: dict[str, Any]


@contextlib.contextmanager
def aims(folder: Path) -> Iterator[Aims]:
    """Put up what is to be guarded: a password, listeners on TCP and on Unix sockets."""
    data, outside = folder / "data", folder / "outside"
    for made in (data, outside):
        made.mkdir()
        made.chmod(0o777)  # so that it is not the rights of the files that refuse another user
    secret = data / "admin-password"
    secret.write_text("s3cret")
    secret.chmod(0o666)
    abstract = f"plugbay-test-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for name in (f"{data}/control.sock", "\0" + abstract):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(name)
            listener.listen()
        (data / "control.sock").chmod(0o777)
        plain = {
            "inside": str(secret),
            "outside": str(outside),
            "socket": str(data / "control.sock"),
            "abstract": abstract,
            "port": tcp.getsockname()[1],
            "parent": os.getpid(),
            "bomb": BOMB,
        }
        yield Aims(data, outside, plain)


def check(
    found: dict[str, Any], missing: Collection[str], *, landlock: int, processes: int = 0
) -> None:
    """See that all was refused which this host can refuse, and only that was not."""
    hidden = "sockets" not in missing
    guarded = hidden or "files" not in missing
    for name in ("inside", "list", "outside"):
        assert (found[name] in REFUSED) == guarded, (name, found)
    # Who cannot see it by namespaces or Landlock is refused another's memory by the kernel.
    assert (found["environment"] in REFUSED) == guarded, found
    assert (found["socket"] in REFUSED) == hidden, found
    apart = "network" not in missing and "udp" not in missing
    if apart or "udp" in missing:
        assert found["loopback"] in BEYOND, found
        assert found["out"] in BEYOND, found
    else:
        assert found["loopback"] == "ok", found
    if apart:
        assert found["udp"] in BEYOND, found
    # A Unix socket in the abstract namespace belongs to a network namespace.
    assert (found["abstract"] != "ok") == (apart or landlock >= 6), found
    if landlock >= 6:
        assert found["signal"] in {"EPERM", "ESRCH"}, found
    assert found["user"] in {"EPERM", "EINVAL"}, found
    assert found["own"] == "ok", found
    assert found["memory"] == "MemoryError", found
    assert found["files"] == "EMFILE", found
    assert found["core"] == 0
    if processes and "processes" not in missing:
        assert found["children"] < processes, found
    elif processes:
        assert found["children"] == BOMB, found
