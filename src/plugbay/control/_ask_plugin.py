"""Operations of running plugins (`sdk.AdminOperations`): asked of every worker, and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from plugbay.control._messages import Ask, Asked
from plugbay.kernel import Invalid, NotFound, PluginError, Unavailable
from plugbay.sdk import AdminOperations, OperationRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.control._roster import Roster
    from plugbay.control._session import Session
    from plugbay.kernel import Instance

PATIENCE = 10.0
"""Seconds that a plugin gets for its answer."""
LISTING = ""
"""The name of the question which operations there are."""
_LOST = Asked(id=0, kind="lost", detail="the worker did not answer in time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What each worker's plugin has answered, and what went wrong where."""

    workers: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    failed: dict[str, str] = field(default_factory=dict[str, str])


class PluginOperations:
    """The supervisor's side."""

    def __init__(self, roster: Callable[[], Roster], *, patience: float = PATIENCE) -> None:
        self._roster, self._patience = roster, patience
        self._waiting: dict[int, asyncio.Future[Asked]] = {}
        self._last = 0

    async def ask(
        self, plugin: str, name: str, arguments: Mapping[str, Any], *, changes: bool
    ) -> Answers:
        """Ask every worker; return the answers if one worker at least gave one.

        Raises `NotFound` (no such operation, or the plugin does not run), `Invalid` (the plugin
        refuses the arguments), `PluginError`, and `Unavailable` if no worker could be asked.
        """
        sessions = [s for s in self._roster().sessions.values() if s.ready]
        said = await asyncio.gather(
            *(self._ask(session, plugin, name, arguments, changes) for session in sessions)
        )
        by_worker = {s.worker: one for s, one in zip(sessions, said, strict=True)}
        workers = {worker: one.result for worker, one in by_worker.items() if not one.kind}
        failed = {worker: one.detail for worker, one in by_worker.items() if one.kind}
        if not workers:
            raise _failure(plugin, list(by_worker.values()))
        return Answers(workers=workers, failed=failed)

    def answered(self, answer: Asked) -> None:
        """Hand an answer to the one that waits for it, if it still does."""
        waiter = self._waiting.get(answer.id)
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)

    async def _ask(
        self, session: Session, plugin: str, name: str, arguments: Mapping[str, Any], changes: bool
    ) -> Asked:
        self._last += 1
        id = self._last
        waiter: asyncio.Future[Asked] = asyncio.get_running_loop().create_future()
        self._waiting[id] = waiter
        question = Ask(id=id, plugin=plugin, name=name, arguments=dict(arguments), changes=changes)
        try:
            session.link.send(question)
            async with asyncio.timeout(self._patience):
                return await waiter
        except (TimeoutError, Unavailable):
            return _LOST
        finally:
            del self._waiting[id]


def _failure(plugin: str, said: list[Asked]) -> Exception:
    """Return what to raise when no worker has answered well: the first word that says most."""
    order: tuple[Literal["invalid", "failed", "not-found", "lost"], ...]
    order = ("invalid", "failed", "not-found", "lost")
    for kind in order:
        for one in said:
            if one.kind == kind:
                return _raised(plugin, one)
    return Unavailable("no worker is ready")


def _raised(plugin: str, one: Asked) -> Exception:
    match one.kind:
        case "invalid":
            return Invalid(one.detail)
        case "not-found":
            return NotFound(one.detail)
        case "lost":
            return Unavailable(one.detail)
        case _:
            return PluginError(plugin, one.detail)


async def carry_out(question: Ask, instance: Instance | None) -> Asked:
    """The worker's side: ask the plugin's current generation. The plugin border: never raises."""
    hook = instance.hooks.get("on_operation") if instance is not None else None
    owner = getattr(hook.call, "__self__", None) if hook is not None else None
    if hook is None or not isinstance(owner, AdminOperations):
        detail = f"plugin {question.plugin} does not run, or has no operations"
        return Asked(id=question.id, kind="not-found", detail=detail)
    if question.name == LISTING:
        return Asked(id=question.id, result=_listing(owner))
    if not any(o.name == question.name and o.changes == question.changes for o in owner.operations):
        how = "changes something" if question.changes else "only reads"
        detail = f"plugin {question.plugin} has no operation {question.name} that {how}"
        return Asked(id=question.id, kind="not-found", detail=detail)
    try:
        async with asyncio.timeout(PATIENCE):
            result: Any = hook.call(question.name, question.arguments)
            if hook.coroutine:
                result = await result
    except OperationRefused as error:
        return Asked(id=question.id, kind="invalid", detail=str(error))
    except Exception as error:  # noqa: BLE001 -- the plugin border: it becomes an answer
        detail = f"{type(error).__name__}: {error}"
        return Asked(id=question.id, kind="failed", detail=detail)
    if not isinstance(result, Mapping):
        detail = f"{question.name} returned {type(result).__name__}, not a mapping"
        return Asked(id=question.id, kind="failed", detail=detail)
    return Asked(id=question.id, result=dict(cast("Mapping[str, Any]", result)))


def _listing(owner: AdminOperations) -> dict[str, Any]:
    found = ((o.name, o.summary, o.changes) for o in owner.operations)
    return {"items": [{"name": n, "summary": s, "changes": c} for n, s, c in found]}
