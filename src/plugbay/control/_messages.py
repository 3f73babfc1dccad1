"""What the supervisor and its workers say to each other.

Every message of a change carries its `ticket`, which names one attempt at one revision: an
answer that comes late can not be taken for the answer to a later question.
"""

# No postponed annotations here: msgspec reads them, so they must be real.

from typing import Any, Literal

import msgspec

from plugbay.control._model import Desired
from plugbay.kernel import Drained as SlotDrained
from plugbay.kernel import Problem
from plugbay.sdk import Manifest


class Message(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """One message, either way."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker must know of an artifact to load it: nothing is fetched at boot.

    `environment` is the virtual environment of a wheel in a process of its own; empty: the
    artifact is no wheel.
    """

    manifest: Manifest
    payload: str
    digest: str
    environment: str = ""


class SlotReport(msgspec.Struct, frozen=True, kw_only=True):
    """One slot as its worker sees it. `instance` is digest, config version, reloads.

    It is sent when something has changed the slot, and about each second while its figures do.
    """

    plugin: str
    state: str
    generation: int = 0
    instance: tuple[str, int, int] = ("", 0, 0)
    in_flight: int = 0
    draining: int = 0
    reason: str = ""
    watch: Literal["", "pending", "good", "bad"] = ""
    watch_reason: str = ""
    quarantined: str = ""
    calls: int = 0
    failures: int = 0
    hooks: tuple[str, ...] = ()
    """What the current generation takes part in."""
    tasks: tuple[str, ...] = ()
    """Its background tasks that run now, by name."""
    draining_requests: int = 0
    """Requests inside the generations that drain."""
    pids: tuple[int, ...] = ()
    """The processes that the plugin runs in, old generations' too; none: the worker's."""
    checked: float = 0.0
    """When the current generation was last found well, or asked: seconds since 1970."""


# From workers ---------------------------------------------------------------------------------


class Prepared(Message, frozen=True, tag="prepared"):
    """The fresh generations run and the new table is built; `failed` names slots that could
    not follow and were left behind (only when catching up)."""

    ticket: str
    milliseconds: float
    failed: dict[str, str] = {}


class PrepareFailed(Message, frozen=True, tag="prepare-failed"):
    """This worker cannot make the change; it has undone its part."""

    ticket: str
    detail: str
    problems: tuple[Problem, ...] = ()


class Committed(Message, frozen=True, tag="committed"):
    """The change was made; `in_flight` counts the requests inside each old generation then."""

    ticket: str
    revision: int
    milliseconds: float
    in_flight: dict[str, int] = {}


class Aborted(Message, frozen=True, tag="aborted"):
    """Everything is as it was before `Prepare`."""

    ticket: str


class Drained(Message, frozen=True, tag="drained"):
    """Every old generation of a change has ended."""

    ticket: str
    slots: tuple[SlotDrained, ...] = ()


class Hello(Message, frozen=True, tag="hello"):
    """A worker's first message on every link.

    `boot` tells one process of a worker from the next. `drained` repeats the latest reports,
    because the supervisor may have died before it read them; `draining` are the tickets of
    changes whose reports are still to come. A change in neither was passed over on the way to
    `revision`.
    """

    worker: str
    pid: int
    boot: str
    revision: int
    listening: tuple[str, ...] = ()
    slots: tuple[SlotReport, ...] = ()
    drained: tuple[Drained, ...] = ()
    draining: tuple[str, ...] = ()


class Status(Message, frozen=True, tag="status"):
    """The worker's slots, after each thing that changed them."""

    revision: int
    slots: tuple[SlotReport, ...]


class PluginEvent(Message, frozen=True, tag="plugin-event"):
    """Something happened to a plugin on this worker."""

    kind: Literal[
        "watch-failed", "health-failed", "restarted", "quarantined", "blocked", "leak", "log"
    ]
    plugin: str
    instance: tuple[str, int, int] = ("", 0, 0)
    generation: int = 0
    detail: str = ""
    data: dict[str, Any] = {}


class KvCall(Message, frozen=True, tag="kv-call"):
    """A plugin asks for its durable state."""

    id: int
    plugin: str
    call: Literal["get", "set", "swap", "delete", "keys"]
    key: str
    value: bytes = b""
    ttl: float | None = None
    expected: bytes | None = None


class Publish(Message, frozen=True, tag="publish"):
    """An event on this worker's bus that the other workers' plugins listen to as well."""

    topic: str
    source: str
    data: dict[str, Any] = {}


class Asked(Message, frozen=True, tag="asked"):
    """The answer of a worker's plugin to an `Ask`; `kind` says why there is no `result`."""

    id: int
    result: dict[str, Any] = {}
    kind: Literal["", "invalid", "not-found", "failed", "lost"] = ""
    detail: str = ""


class Metrics(Message, frozen=True, tag="metrics"):
    """A snapshot, opaque to control."""

    id: int
    snapshot: bytes


# From the supervisor --------------------------------------------------------------------------


class Prepare(Message, frozen=True, tag="prepare"):
    """Load what `desired` has and this worker has not, beside what runs.

    `catch_up`: the revision is committed already, so a plugin that fails here is left behind,
    failed, and the rest goes on. `quarantined` plugins are not tried. `watch` says how many
    seconds each fresh generation is on probation.
    """

    ticket: str
    desired: Desired
    facts: dict[str, Facts]
    catch_up: bool = False
    watch: dict[str, float] = {}
    quarantined: dict[str, str] = {}


class Commit(Message, frozen=True, tag="commit"):
    """Make the prepared change."""

    ticket: str


class Abort(Message, frozen=True, tag="abort"):
    """Undo the prepared change, or stop preparing it."""

    ticket: str


class KvReply(Message, frozen=True, tag="kv-reply"):
    """The answer to a `KvCall`; `error` is set if it failed."""

    id: int
    value: bytes | None = None
    keys: tuple[str, ...] = ()
    swapped: bool = False
    error: str = ""


class Deliver(Message, frozen=True, tag="deliver"):
    """An event from another worker."""

    topic: str
    source: str
    data: dict[str, Any] = {}


class Ask(Message, frozen=True, tag="ask"):
    """An administrator asks a plugin's operation; it must be one that `changes` what it says."""

    id: int
    plugin: str
    name: str
    arguments: dict[str, Any] = {}
    changes: bool = False


class CollectMetrics(Message, frozen=True, tag="collect-metrics"):
    """Asks for `Metrics`."""

    id: int


class Drain(Message, frozen=True, tag="drain"):
    """Take no new connections, finish what is in flight within `seconds`, then exit."""

    seconds: float


class Shutdown(Message, frozen=True, tag="shutdown"):
    """Exit now: cancel what is in flight."""


FromWorker = (
    Hello
    | Prepared
    | PrepareFailed
    | Committed
    | Aborted
    | Drained
    | Status
    | PluginEvent
    | KvCall
    | Publish
    | Metrics
    | Asked
)
FromSupervisor = (
    Prepare | Commit | Abort | KvReply | Deliver | CollectMetrics | Drain | Shutdown | Ask
)
AnyMessage = FromWorker | FromSupervisor
