"""What is known of the artifacts that the desired state names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from plugbay.control._draft import plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.control._change import Change
    from plugbay.control._messages import Facts
    from plugbay.control._model import Desired
    from plugbay.control._plan import Plan
    from plugbay.control._ports import Books, Catalog
    from plugbay.kernel import Clock


class Artifacts:
    """The facts of artifacts: immutable, so they are asked for once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known = _Known()

    async def know(self, digests: Iterable[str]) -> None:
        """Ask for these, also again: one may have been revoked. Raises what `Catalog` does."""
        for digest in sorted(digests):
            self._known[digest] = await self._catalog.facts(digest)

    async def of(self, desired: Desired) -> dict[str, Facts]:
        """Return the facts of all enabled plugins. Raises what `Catalog` does."""
        digests = {spec.digest for spec in desired.enabled().values()}
        await self.know(digests - self._known.keys())
        return {digest: self._known[digest] for digest in sorted(digests)}

    async def plan(
        self, desired: Desired, change: Change, books: Books, author: str, clock: Clock
    ) -> Plan:
        """Plan a change, whatever artifacts it leads to, and see that what is to run anew can."""
        while True:
            try:
                drafted = plan(
                    desired,
                    change,
                    books=books,
                    facts=self._known,
                    author=author,
                    now=clock.time(),
                )
            except _Unknown as unknown:
                await self.know([unknown.digest])
                continue
            return replace(drafted, lacks=await self._lacks(desired, drafted))

    async def _lacks(self, desired: Desired, drafted: Plan) -> dict[str, str]:
        lacks: dict[str, str] = {}
        for spec in drafted.plugins():
            old = desired.plugins.get(spec.id)
            if old is None or not old.enabled or old.instance != spec.instance:
                what = await self._catalog.check(spec)
                if what:
                    lacks[spec.id] = what
        return lacks

    async def make(self, drafted: Plan) -> None:
        """Make what the plugins of a plan lack. Raises what `Catalog.make` does."""
        for id in drafted.lacks:
            await self._catalog.make(drafted.desired.plugins[id])


class _Unknown(Exception):
    """A plan needs an artifact that was not asked for yet."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.digest = digest


class _Known(dict[str, "Facts"]):
    def __missing__(self, digest: str) -> Facts:
        raise _Unknown(digest)
