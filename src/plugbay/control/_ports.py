"""What control needs of the layers around it, as protocols that they fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from plugbay.control._messages import Facts, Message
    from plugbay.control._model import Desired, PluginSpec
    from plugbay.control._store import Revision
    from plugbay.kernel import ConfigVersion, Generation
    from plugbay.sdk import Host, Manifest


class Link(Protocol):
    """One connection between the supervisor and a worker: whole messages, in order.

    Iterating yields what the other side sends, until the link is closed by either side or
    breaks; a broken link never comes back, the worker makes another one.
    """

    @property
    def closed(self) -> bool: ...
    def send(self, message: Message) -> None:
        """Hand over a message without waiting. Raises `Unavailable` if the link is closed; it
        may be lost anyway, if the link breaks on its way. A peer that does not read for long
        is cut off rather than waited for."""
        ...

    def __aiter__(self) -> AsyncIterator[Message]: ...
    def close(self) -> None:
        """Close it, now. The iteration at both ends comes to its end."""
        ...


class Table(Protocol):
    """What a data plane serves by: routes and their chains, built for one set of generations."""

    def retire(self) -> None:
        """Take no new requests; release the generations when the last one inside has ended."""
        ...


class Placed:
    """One enabled plugin and what runs in its slot; nothing does, if it failed."""

    __slots__ = ("generation", "manifest", "spec")

    def __init__(self, spec: PluginSpec, manifest: Manifest, generation: Generation | None) -> None:
        self.spec, self.manifest, self.generation = spec, manifest, generation


class Plane(Protocol):
    """The data plane of a worker, as the agent sees it. Neither method waits for anything."""

    def build(self, desired: Desired, placed: Sequence[Placed]) -> Table:
        """Build the table; its chains lease the generations. Raises `PlugbayError`."""
        ...

    def install(self, table: Table) -> None:
        """Serve by this table from now on, and retire the one before."""
        ...

    async def drain(self, seconds: float) -> int:
        """Take no new connections; return how many requests were cancelled at the deadline."""
        ...


class Lent(Protocol):
    """What one generation was lent, to be taken back after it was stopped."""

    @property
    def host(self) -> Host: ...
    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of its background tasks that run now."""
        ...

    async def close(self) -> None:
        """Cancel its tasks, end its subscriptions, close what it left open."""
        ...


class Hosts(Protocol):
    """Makes the host of each generation."""

    def lend(self, manifest: Manifest, generation: int) -> Lent: ...


class Beside(Protocol):
    """What the supervisor runs beside the workers, as the desired state says: MCP servers."""

    async def prepare(self, desired: Desired) -> None:
        """Get ready for this: what workers will reach must be there when they commit.

        Raises `PlugbayError` if that cannot be; nothing that runs is touched.
        """
        ...

    async def settle(self, desired: Desired) -> None:
        """Run this, and nothing else: it is committed, or what was prepared was given up."""
        ...


class Nothing:
    """`Beside` of a supervisor that runs nothing but workers."""

    async def prepare(self, desired: Desired) -> None:
        """Nothing is to be done."""

    async def settle(self, desired: Desired) -> None:
        """Nothing is to be done."""


class Catalog(Protocol):
    """The artifacts, as the coordinator sees them."""

    async def facts(self, digest: str) -> Facts:
        """Return what workers need. Raises `NotFound`, or `Conflict` if it is not validated."""
        ...

    async def check(self, spec: PluginSpec) -> str:
        """See that a plugin can run so; return what must be made before it does, empty: nothing.

        Raises `Invalid` if the artifact's schema refuses the configuration, or it cannot run by
        the runtime that was chosen.
        """
        ...

    async def make(self, spec: PluginSpec) -> None:
        """Make what it needs to run so, if it is not there. That may take minutes.

        Raises `Invalid` if that cannot be made at all, `Unavailable` if it cannot be now.
        """
        ...


class Books(Protocol):
    """What was before: the planner's view of the store."""

    def configs(self, plugin: str) -> list[ConfigVersion]:
        """All versions of a plugin's configuration, oldest first."""
        ...

    def revision(self, number: int) -> Revision | None:
        """A revision that was committed."""
        ...
