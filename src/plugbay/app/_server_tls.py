"""The certificates of our own listeners, from the settings, read again when they change."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.gateway import Certificate, ServerTls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.kernel import Invalid
    from plugbay.settings import TlsSettings

_log = logging.getLogger("plugbay.tls")
RELOAD = 5.0
"""Seconds between looks at the files."""


def server_tls(settings: TlsSettings, *, http2: bool = False) -> ServerTls:
    """Load a listener's certificate; `http2` is offered, too. Raises `Invalid`."""
    certificate = Certificate(chain=Path(settings.certificate), key=Path(settings.key))
    return ServerTls([certificate], http2=http2)


async def keep_fresh(certificates: Iterable[ServerTls]) -> None:
    """Read certificates again when their files change, for ever; a bad pair changes nothing."""
    await asyncio.gather(*(one.watch(RELOAD, _warn) for one in certificates))


def _warn(problem: Invalid) -> None:
    _log.error("the old certificate stays in service: %s", problem)
