"""The sample upstream as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[str, int]]:
    """The host and port of `python -m plugbay.demo`."""
    command = [sys.executable, "-m", "plugbay.demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        url = urlsplit(process.stdout.readline().strip())
        assert url.scheme == "http"
        yield str(url.hostname), int(url.port or 0)
        process.terminate()
        # uvicorn raises the signal that ended it again, once it has closed everything
        assert process.wait(10) in (0, -15)
