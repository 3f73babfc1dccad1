"""How MCP servers are, from what their processes tell."""

from __future__ import annotations

from dataclasses import dataclass

from plugbay.app.mcp._records import LONGEST, Records
from plugbay.mcp.serving import EndpointStatus

SERVED = EndpointStatus(sessions=2, versions=("2025-11-25",), requests=9)


@dataclass
class Kept:
    """A server's process, as far as the records look at it."""

    pid: int = 0
    running: bool = False
    waiting: bool = False
    retry_after: float = 0.0


def status(records: Records, *kept: Kept, resting: bool = False) -> EndpointStatus:
    return records.status("files", kept, resting=resting, served=SERVED)


def test_what_runs_and_since_when() -> None:
    now = 100.0
    records = Records(lambda: now)
    assert status(records).state == "stopped"
    records.notice("started", "files", pid=1)
    now = 150.0
    records.notice("restarted", "files", pid=2, restarts=1)
    found = status(records, Kept(1, running=True), Kept(2, running=True))
    assert (found.state, found.processes, found.since, found.restarts) == ("running", 2, 100.0, 1)
    assert (found.sessions, found.versions, found.requests) == (2, ("2025-11-25",), 9)
    assert status(records, Kept(2, running=True)).since == 150.0
    assert status(records).since == 0.0


def test_what_went_wrong_last() -> None:
    records = Records(lambda: 7.0)
    records.notice("stderr", "files", line="no such file")
    records.notice("exited", "files", code=3)
    found = status(records, Kept(waiting=True, retry_after=2.0))
    assert (found.state, found.retry_at) == ("restarting", 9.0)
    assert (found.error, found.error_at, found.stderr) == (
        "it has ended with code 3",
        7.0,
        "no such file",
    )
    records.notice("not-started", "files", reason="x" * 2 * LONGEST)
    found = status(records, resting=True)
    assert (found.state, len(found.error), found.stderr) == ("resting", LONGEST, "")
    records.keep(())
    assert status(records).error == ""
