"""Bad plugins: what clients see of a version that fails, and how the gateway comes back.

    python -m bench.bad_plugin

Every case starts from a good version 1.0.0, under light load by strict clients. "until good" is
from asking for the bad version until version 1.0.0 answers again in every worker.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from bench._bad_source import EXIT, IMPORT, PLUGIN, POLICY, SOURCE, project, switch
from bench._gateway import Gateway, wait_for
from bench._live import Traffic, condition, get, plugin, sound, wait_for_event
from bench._rig import describe, table
from plugbay.cli._client import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["refused", "failed", "rolled back", "quarantined"]
OK, REFUSED = frozenset({200}), frozenset({200, 503})
GOOD = {"mode": "", "note": "first"}
CLIENTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A way to be bad, and what must come of it.

    `statuses` is what the failure policy lets clients see; `resets` whether requests may be lost
    that were inside a worker which ended; `says` must be in the reason.
    """

    name: str
    mode: str = ""
    kind: Kind
    says: str
    source: str = SOURCE
    unimportable: bool = False
    statuses: frozenset[int] = OK
    resets: bool = False
    watch: float = 60.0
    on_error: Literal["default", "open"] = "default"


CASES = (
    Case(name="fails to import", source=IMPORT, kind="refused", says="no_such_library"),
    Case(name="os._exit in the trial", source=EXIT, kind="refused", says="ended its process"),
    Case(
        name="fails to import in the worker only",
        unimportable=True,
        kind="failed",
        says="the library is not on this machine",
    ),
    Case(name="raises in start", mode="start", kind="failed", says="no database"),
    Case(name="fails health at activation", mode="health", kind="failed", says="from the start"),
    Case(
        name="unhealthy after activation",
        mode="sick",
        kind="rolled back",
        says="not well any more",
        statuses=REFUSED,
    ),
    Case(
        name="raises on 10 %, closed",
        mode="raise",
        kind="rolled back",
        says="calls failed",
        statuses=REFUSED,
    ),
    Case(
        name="raises on 10 %, open",
        mode="raise",
        kind="rolled back",
        says="calls failed",
        on_error="open",
    ),
    Case(
        name="blocks for 0.3 s",
        mode="block",
        kind="rolled back",
        says="blocked the event loop",
        statuses=REFUSED,
    ),
    Case(
        name="blocks for 0.3 s, after its watch",
        mode="block",
        kind="quarantined",
        says="blocked the event loop",
        statuses=REFUSED,
        watch=0.0,
    ),
    Case(
        name="endless loop",
        mode="hang",
        kind="rolled back",
        says="blocked the event loop",
        statuses=REFUSED,
        resets=True,
    ),
    Case(
        name="endless loop, after its watch",
        mode="hang",
        kind="quarantined",
        says="blocked the event loop",
        statuses=REFUSED,
        resets=True,
        watch=0.0,
    ),
)


@dataclass(slots=True)
class Outcome:
    """What came of a case; `problems` is what should not have."""

    case: Case
    reason: str = ""
    seconds: float = 0.0
    requests: int = 0
    saw: str = ""
    problems: list[str] = field(default_factory=list[str])


def install(gateway: Gateway) -> None:
    """Upload the good version and the one that is bad by its configuration; enable the good."""
    gateway.push(project(gateway, "1.0.0"))
    gateway.push(project(gateway, "2.0.0"))
    make_good(gateway)


def make_good(gateway: Gateway) -> None:
    """Bring the good version back, and wait until it serves."""
    content = {"version": "1.0.0", "config": GOOD, "watch": 0.0, "on_error": "default"}
    gateway.operation(gateway.put(PLUGIN, **content)["id"])
    wait_for("the good version serves", lambda: is_good(gateway))


def is_good(gateway: Gateway) -> bool:
    """Whether version 1.0.0 with its own configuration runs in every worker, and answers."""
    view = plugin(gateway, PLUGIN)
    wanted = view["desired"]["version"], view["desired"]["config"]
    if wanted != ("1.0.0", GOOD) or condition(view, "Converged")["status"] != "True":
        return False
    answer = get(gateway.address)
    seen = answer.status, answer.headers.get("x-stamp"), answer.headers.get("x-note")
    return seen == (200, "1.0.0", "first")


def run_case(gateway: Gateway, case: Case) -> Outcome:
    """Run one case from good to good."""
    outcome = Outcome(case)
    check = partial(sound, allowed=case.statuses)
    with Traffic(gateway.address, clients=CLIENTS, check=check) as traffic:
        began = time.monotonic()
        outcome.reason = ASK[case.kind](gateway, case)
        wait_for(f"good again after: {case.name}", lambda: is_good(gateway))
        outcome.seconds = time.monotonic() - began
        traffic.more(2 * CLIENTS)
    seen = traffic.seen
    outcome.requests = seen.requests
    outcome.saw = ", ".join(
        f"{count} x {status}" for status, count in sorted(seen.statuses.items())
    )
    if case.resets and seen.failures:
        outcome.saw += f", {len(seen.failures)} lost in the worker that ended"
        if len(seen.failures) > CLIENTS:
            outcome.problems += seen.failures
    else:
        outcome.problems += seen.failures
    if case.says not in outcome.reason:
        outcome.problems.append(f"the reason does not say {case.says!r}: {outcome.reason!r}")
    make_good(gateway)
    return outcome


def change_to_bad(gateway: Gateway, case: Case) -> Mapping[str, Any]:
    """Ask for the bad version, with a configuration of its own."""
    return gateway.put(
        PLUGIN,
        version="2.0.0",
        config={"mode": case.mode, "note": "second"},
        watch=case.watch,
        on_error=case.on_error,
    )


def refused(gateway: Gateway, case: Case) -> str:
    """The upload is refused, and says why."""
    try:
        # Another version each time: the same bytes would only be found again.
        artifact = gateway.push(project(gateway, f"3.{CASES.index(case)}.0", case.source))
    except ApiError as error:
        errors = (one for one in error.problem["errors"] if one["severity"] == "error")
        return "; ".join(one["detail"] for one in errors)
    return f"it was taken, as {artifact['state']}"


def failed(gateway: Gateway, case: Case) -> str:
    """The operation fails, and says why."""
    with unimportable(gateway, case):
        operation = gateway.operation(change_to_bad(gateway, case)["id"])
    return _reason(operation, "failed")


def rolled_back(gateway: Gateway, case: Case) -> str:
    """The operation succeeds at first, and is undone by itself; its receipt says why."""
    id = change_to_bad(gateway, case)["id"]
    # Its receipt is whole when the old generation has drained.
    ended = ("rolled_back", "failed")
    operation = gateway.operation(id, lambda one: one["state"] in ended and one["receipt"])
    return _reason(operation, "rolled_back")


def quarantined(gateway: Gateway, case: Case) -> str:
    """The plugin is taken out; an operator brings the version before back."""
    change_to_bad(gateway, case)

    def found() -> str:
        state = condition(plugin(gateway, PLUGIN), "Quarantined")
        return str(state["message"]) if state["status"] == "True" else ""

    reason = str(wait_for("quarantine", found))
    status = get(gateway.address).status
    gateway.operation(gateway.change("POST", f"/plugins/{PLUGIN}/rollback")["id"])
    return reason if status == 503 else f"{reason}; but it answers {status}, not 503"


ASK = {
    "refused": refused,
    "failed": failed,
    "rolled back": rolled_back,
    "quarantined": quarantined,
}


def _reason(operation: Mapping[str, Any], state: str) -> str:
    receipt = operation["receipt"] or {}
    why = receipt.get("why") or operation["error"]
    return why if operation["state"] == state else f"{operation['state']}, not {state}: {why}"


@contextlib.contextmanager
def unimportable(gateway: Gateway, case: Case) -> Iterator[None]:
    """Make imports of the plugin fail for a while."""
    if case.unimportable:
        switch(gateway).touch()
    try:
        yield
    finally:
        switch(gateway).unlink(missing_ok=True)


LEAKS = {"thread": "the thread forgotten", "task": "the task forgotten", "file": "the descriptor"}
"""What a generation leaves behind, and how the report begins."""


def leak(gateway: Gateway, what: str) -> str:
    """Run a generation that leaves something behind; return what is reported of it."""
    content = {"mode": what, "note": "second"}
    gateway.operation(gateway.put(PLUGIN, version="2.0.0", config=content, watch=0.0)["id"])
    make_good(gateway)
    event = wait_for_event(
        gateway, "plugin.leak", lambda one: one["detail"].startswith(LEAKS[what])
    )
    return str(event["detail"])


def main() -> int:
    """Run every case and print the table."""
    describe("Bad plugins", f"{CLIENTS} keep-alive clients ask all the time")
    with Gateway(workers=1, settings=POLICY) as gateway:
        install(gateway)
        outcomes = [run_case(gateway, case) for case in CASES]
        show(outcomes)
        table(("a generation leaves", "reported"), [(what, leak(gateway, what)) for what in LEAKS])
    problems = [f"{one.case.name}: {text}" for one in outcomes for text in one.problems]
    print("\n".join(problems) or "No client saw anything else.")
    return int(bool(problems))


def show(outcomes: list[Outcome]) -> None:
    """Print the table of what came of the cases."""
    table(
        ("case", "clients saw", "outcome", "until good s", "reason"),
        [
            (one.case.name, one.saw, one.case.kind, one.seconds, one.reason[:160])
            for one in outcomes
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
