"""A wire that breaks: connections to a server that are cut in the middle of a response."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class Cutter:
    """Forwards connections, and cuts one on which the server says a word, so many times.

    What follows the word is lost; with `whole` only what follows what came with it.
    """

    def __init__(self, address: str, word: bytes, *, whole: bool = False, times: int = 1) -> None:
        host, _, port = address.rpartition(":")
        self._to, self._word, self._whole, self._most = (host, int(port)), word, whole, times
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts = 0
        """How many connections were cut."""
        self.asked = b""
        """What the clients have said."""
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End all connections, and wait for that."""
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for one in (self._listener, *self._sockets):
            one.close()

    @property
    def resumed(self) -> bool:
        """Whether a client has come back for what it has missed."""
        return b"last-event-id" in self.asked.lower()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._to)
            self._sockets += (client, server)
            for pair in ((client, server), (server, client)):
                thread = threading.Thread(target=self._copy, args=(*pair, pair[0] is server))
                self._threads.append(thread)
                thread.start()

    def _copy(self, source: socket.socket, sink: socket.socket, listens: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.asked += b"" if listens else data
                cut = listens and self.cuts < self._most and self._word in data
                end = data.find(self._word) + len(self._word) if cut and not self._whole else None
                sink.sendall(data[:end])
                if cut:
                    self.cuts += 1
                    break
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
