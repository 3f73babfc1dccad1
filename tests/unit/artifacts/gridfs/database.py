"""A real server of the MongoDB wire protocol, and a proxy that cuts its connections."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench._go import build_go

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[3] / "servers" / "ferretdb"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Serve the databases in a folder and yield the address, `host:port`."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [build_go(SOURCE), "127.0.0.1:0", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip().removeprefix("mongodb://").rstrip("/")
    finally:
        process.stdin.close()
        process.wait(100)
        process.stdout.close()


class Cutting:
    """A TCP proxy that ends each connection after so many bytes from the client, `cuts` times."""

    def __init__(self, upstream: str, *, after: int, cuts: int) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = host, int(port)
        self._after, self.cuts = after, cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()  # it adds to the others
        self._listener.close()
        for one in self._sockets:
            _end(one)
        for thread in self._threads[1:]:
            thread.join()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._upstream)
            self._sockets += [client, server]
            self._start(self._pump, client, server, True)
            self._start(self._pump, server, client, False)

    def _pump(self, source: socket.socket, target: socket.socket, cut: bool) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                sent += len(data)
                if cut and self.cuts > 0 and sent > self._after:
                    self.cuts -= 1
                    break
                target.sendall(data)
        _end(source)
        _end(target)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
