"""What this host allows, by trying it: a process confines itself and says what it could not do."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from plugbay.isolation._report import Report, read_report
from plugbay.isolation._sandbox import Sandbox

if TYPE_CHECKING:
    from plugbay.isolation._sandbox import Isolation

_SECONDS = 10.0


def probe(isolation: Isolation = "prefer", user: str = "") -> Report:
    """Return which protections can be had here. It takes some 20 ms.

    Raises `Invalid` if there is no such user, and `OSError` if no process can be started.
    """
    import tempfile  # only where it is tried

    sandbox = Sandbox(network="none", processes=64, isolation=isolation, user=user, apart=True)
    reader, writer = os.pipe()
    with tempfile.TemporaryDirectory(prefix="plugbay-probe-") as folder, open(reader, "rb") as said:
        try:
            command = sandbox.command(["/"], directory=folder, report=writer, dry=True)
            process = subprocess.Popen(  # noqa: S603 - our own launcher
                command, stdin=subprocess.DEVNULL, env={}, pass_fds=(writer,)
            )
        finally:
            os.close(writer)
        text = said.read().decode()
        process.wait(_SECONDS)
    return read_report(text)
