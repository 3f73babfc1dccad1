"""Runs a gateway in this process until it is told to stop."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import uvloop

from plugbay.admin import FIRST_PASSWORD_FILE, FIRST_USER
from plugbay.app._demo import Demo
from plugbay.app._supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plugbay.settings import Settings

THREAD_TURN = 0.0005
"""Seconds that a thread keeps the interpreter while another one waits for it."""
BANNER = """\
Plugbay {version}: a gateway whose every capability is a plugin, swapped while traffic flows

  gateway    {gateway}
  admin API  {admin}/admin/api/v1   (documentation: /admin/api/docs)
  metrics    http://{metrics}/metrics
  sign in    user {user}, password in {password}
{demo}
Next, in a second terminal{alias}:
  plugbay login --url {admin} --password-file {password}
  plugbay plugin push {example} --enable
  curl -i {gateway}/json
"""


def serve(
    settings: Settings,
    *,
    config: Path | None,
    demo: bool,
    ready_file: Path | None,
    say: Callable[[str], None],
) -> None:
    """Serve. Raises `PlugbayError` if it cannot start."""
    # The loop answers people; a thread that reads archives lets it go on after this, and not 5 ms.
    sys.setswitchinterval(THREAD_TURN)
    uvloop.run(_serve(settings, config, ready_file, say, demo=demo))


async def _serve(
    settings: Settings,
    config: Path | None,
    ready_file: Path | None,
    say: Callable[[str], None],
    *,
    demo: bool,
) -> None:
    sample = Demo() if demo else None
    try:
        if sample is not None:
            settings = sample.add_to(settings)
        supervisor = Supervisor(settings, config, ready_file)

        async def started() -> None:
            if sample is not None:
                await sample.install(supervisor)
            say(banner(supervisor, sample))

        await supervisor.run(started)
    finally:
        if sample is not None:
            sample.close()


def banner(supervisor: Supervisor, sample: Demo | None) -> str:
    """Return what is printed when the gateway is ready."""
    from plugbay import __version__

    facts = supervisor.facts()
    return BANNER.format(
        version=__version__,
        gateway=f"http://{facts['listeners'][0]}",
        admin=facts["admin_url"],
        metrics=facts["metrics"],
        user=FIRST_USER,
        password=supervisor.data / FIRST_PASSWORD_FILE,
        demo=f"  upstream   http://{sample.address} (the sample service)\n" if sample else "",
        alias=" (alias plugbay=.venv/bin/plugbay)" if sample else "",
        example="plugins/examples/ratelimit" if sample else "FOLDER",
    )
