"""What a plugin's process remembers of a request, for as long as the request lives."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.runtimes.process._session import Session


class Remembered:
    """Kept in the request's `state`: when that goes, the process is told to forget."""

    def __init__(self, session: Session, number: int) -> None:
        self.session, self.number = session, number
        self._loop = asyncio.get_running_loop()

    def __del__(self) -> None:
        # Whichever thread collects it; a loop that is closed has nobody to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_forget, self.session, self.number)


def _forget(session: Session, number: int) -> None:
    if session.stream is not None and session.stream.open:
        session.stream.frame().forget.state = number
