"""The layer `environment`: what a wheel in a process of its own depends on is locked, and there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from plugbay.artifacts._finding import Finding
from plugbay.artifacts._threads import in_thread
from plugbay.artifacts.environments._lock import COMMAND, LOCKS, read_lock
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from plugbay.artifacts._layer import Subject
    from plugbay.artifacts.environments._environments import Environments
    from plugbay.artifacts.environments._lock import Lock
    from plugbay.kernel import Problem


class EnvironmentLayer:
    """Reads the lock and builds the environment; only of wheels with the runtime `process`."""

    name = "environment"
    eager = False

    def __init__(
        self, environments: Environments, unpack: Callable[[str], Awaitable[Path]]
    ) -> None:
        self._environments, self._unpack = environments, unpack

    async def inspect(self, subject: Subject) -> Sequence[Problem] | None:
        """Build what is missing. Raises `Unavailable` if that is not the wheel's fault."""
        if subject.declared().runtime != "process":
            return None
        payload = await self._unpack(subject.digest)
        try:
            lock = await in_thread(read_lock, payload)
            problems = list(unlocked(subject.wheel().requires_dist, lock))
            if not problems:
                await self._environments.ensure(lock)
        except Invalid as error:
            return list(error.problems)
        return problems


def unlocked(requirements: Sequence[str], lock: Lock) -> Iterator[Finding]:
    """Yield what a wheel requires and its lock does not have, or not so."""
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # the layer `platform` has said so
        marker = requirement.marker
        if canonicalize_name(requirement.name) == "plugbay" or (
            marker is not None and not marker.evaluate({"extra": ""})
        ):
            continue
        version = lock.version_of(requirement.name)
        if not version or not requirement.specifier.contains(version, prereleases=True):
            yield Finding(
                "environment",
                f"the lock does not have what the wheel requires: {text}"[:200],
                expected=f"{text} in <package>/{LOCKS[0]}"[:200],
                found=f"{requirement.name} {version}" if version else "nothing of that name",
                remedy=COMMAND,
            )
