"""An operation: a change in progress, with a step for each worker and, at the end, a receipt."""

# No postponed annotations here: msgspec reads them, so they must be real.

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from plugbay.control._change import Change
from plugbay.kernel import IllegalTransition, PluginChange, Problem, Receipt, WorkerReport


class OperationState(enum.StrEnum):
    """How far a change has come. From `committing` on it is durable, and made for good."""

    PENDING = "pending"
    PREPARING = "preparing"
    COMMITTING = "committing"
    DRAINING = "draining"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether nothing more happens by itself."""
        return not OPERATION_TRANSITIONS[self] - {OperationState.ROLLED_BACK}


S = OperationState

OPERATION_TRANSITIONS: Mapping[OperationState, frozenset[OperationState]] = {
    S.PENDING: frozenset({S.PREPARING, S.FAILED, S.CANCELLED}),
    # Back to pending when the supervisor was restarted; to succeeded if nothing is to change.
    S.PREPARING: frozenset({S.COMMITTING, S.SUCCEEDED, S.FAILED, S.PENDING}),
    S.COMMITTING: frozenset({S.DRAINING, S.ROLLED_BACK}),
    S.DRAINING: frozenset({S.SUCCEEDED, S.ROLLED_BACK}),
    S.SUCCEEDED: frozenset({S.ROLLED_BACK}),
    S.FAILED: frozenset(),
    S.ROLLED_BACK: frozenset(),
    S.CANCELLED: frozenset(),
}

StepState = Literal[
    "making",
    "made",
    "preparing",
    "prepared",
    "failed",
    "aborted",
    "committed",
    "drained",
    "lost",
    "catching-up",
]


OPEN_STEPS: tuple[StepState, ...] = ("prepared", "committed", "catching-up")
"""Steps of workers that have more to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one worker did for an operation, or the supervisor before any: it makes what a plugin
    needs to run. Times are in milliseconds."""

    worker: str
    state: StepState
    boot: str = ""
    pid: int = 0
    prepared_ms: float = 0.0
    committed_ms: float = 0.0
    in_flight: dict[str, int] = field(default_factory=dict[str, int])
    detail: str = ""
    reports: tuple[WorkerReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One change and what became of it. `created` and `updated` are seconds since 1970.

    `revision` is the one it made; 0 until then. `expected` is the revision at which the caller
    saw what it changes. `attempts` counts how often it was begun: more than once only if the
    supervisor was restarted meanwhile.
    """

    id: str
    sequence: int
    change: Change
    actor: str
    reason: str = ""
    created: float
    updated: float
    state: OperationState = OperationState.PENDING
    idempotency_key: str = ""
    expected: int | None = None
    attempts: int = 0
    revision: int = 0
    changes: tuple[PluginChange, ...] = ()
    steps: dict[str, Step]
    receipt: Receipt | None = None
    error: str = ""
    code: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def kind(self) -> str:
        """The change's name, such as `enable`."""
        return str(type(self.change).__struct_config__.tag)

    @property
    def finished(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.state.finished

    @property
    def open_steps(self) -> tuple[Step, ...]:
        """The steps of workers that have more to say."""
        return tuple(step for step in self.steps.values() if step.state in OPEN_STEPS)

    @property
    def concluded(self) -> bool:
        """Whether nothing is to follow, its receipt's figures included: one that was rolled back
        is finished before its old generations have drained."""
        rolled_back = self.state is OperationState.ROLLED_BACK
        return self.finished and not (rolled_back and self.open_steps)

    def to(self, new: OperationState, now: float, **fields: Any) -> "Operation":
        """Return it in another state. Raises `IllegalTransition`."""
        if new not in OPERATION_TRANSITIONS[self.state]:
            raise IllegalTransition(f"operation {self.id}", self.state, new)
        return replace(self, state=new, updated=now, **fields)

    def with_step(self, step: Step, now: float) -> "Operation":
        """Return it with this step in the place of the worker's last one."""
        return replace(self, steps={**self.steps, step.worker: step}, updated=now)
