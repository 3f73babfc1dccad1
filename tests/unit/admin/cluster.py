"""A real coordinator with real agents in this process; only plugins and requests are not real.

A plugin does what its configuration says: `{"fail": "load"}` or `"start"` fails so.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugbay.admin import check_config
from plugbay.app._clock import SystemClock
from plugbay.control import (
    Agent,
    Asked,
    Coordinator,
    Desired,
    Facts,
    Identity,
    Loader,
    Placed,
    PluginOperations,
    SqliteStore,
)
from plugbay.kernel import (
    ArtifactState,
    Conflict,
    Hook,
    Instance,
    LoadFailed,
    LoadRequest,
    NotFound,
    Unavailable,
)
from plugbay.sdk import AdminOperation, AdminOperations, OperationRefused
from plugbay.sdk.testing import FakeHost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from plugbay.artifacts import ArtifactStore
    from plugbay.control import PluginSpec
    from plugbay.kernel import Generation
    from plugbay.sdk import Host, Manifest
    from plugbay.storage import Database


class PairLink:
    """One end of a link inside this process."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.other: PairLink = self
        self.closed = False

    def send(self, message: Any) -> None:
        if self.closed or self.other.closed:
            raise Unavailable("the link is closed")
        self.other.inbox.put_nowait(message)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while not self.closed and (message := await self.inbox.get()) is not None:
            yield message

    def close(self) -> None:
        for end in (self, self.other):
            end.closed = True
            end.inbox.put_nowait(None)


def pair() -> tuple[PairLink, PairLink]:
    one, two = PairLink(), PairLink()
    one.other, two.other = two, one
    return one, two


class Plugin(AdminOperations):
    """An instance that filters nothing, and answers administrators."""

    operations = (
        AdminOperation("status", "How it is."),
        AdminOperation("check", "Ask with an argument."),
        AdminOperation("lift", "Change something.", changes=True),
        AdminOperation("lie", "Return what is no JSON."),
    )

    def __init__(self, request: LoadRequest) -> None:
        self.config, self.host = request.config, request.host
        self.asked: list[str] = []
        self.hooks: Mapping[str, Hook] = {"on_operation": Hook(self.on_operation, coroutine=False)}

    def on_operation(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(name)
        if name == "check" and "ip" not in arguments:
            raise OperationRefused("ip is missing")
        if name == "lie":
            return {"self": self}
        if self.config.get("fail") == "ask":
            raise RuntimeError("broken")
        return {"asked": self.asked, **arguments}

    async def start(self) -> None:
        if self.config.get("fail") == "start":
            raise RuntimeError("it would not start")
        if self.config.get("greeting") == "spawn":
            self.host.spawn(asyncio.Event().wait(), name="chores")  # type: ignore[arg-type]  # it waits for ever

    async def stop(self) -> None:
        self.config = {}

    async def health(self) -> None:
        assert self.config is not None

    async def snapshot(self) -> bytes | None:
        return None

    async def restore(self, state: bytes) -> None:
        assert state


class PluginRuntime:
    async def load(self, request: LoadRequest) -> Instance:
        if request.config.get("fail") == "load":
            raise LoadFailed(request.manifest.id, "it would not load")
        return Plugin(request)


@dataclass(frozen=True)
class LentHost:
    host: Host

    @property
    def tasks(self) -> tuple[str, ...]:
        assert isinstance(self.host, FakeHost)
        return tuple(sorted(task.get_name() for task in self.host.tasks))

    async def close(self) -> None:
        assert isinstance(self.host, FakeHost)
        await self.host.close()


class Hosts:
    def lend(self, manifest: Manifest, generation: int) -> LentHost:
        return LentHost(FakeHost(manifest.id, manifest.version, generation))


class NobodyInside:
    """A table without requests: retiring it releases its generations at once."""

    def __init__(self, generations: Sequence[Generation]) -> None:
        self._generations = generations

    def retire(self) -> None:
        self._generations = ()


class Plane:
    def __init__(self) -> None:
        self.table: Any = None

    def build(self, desired: Desired, placed: Sequence[Placed]) -> NobodyInside:
        return NobodyInside([one.generation for one in placed if one.generation is not None])

    def install(self, table: Any) -> None:
        old, self.table = self.table, table
        if old is not None:
            old.retire()

    async def drain(self, seconds: float) -> int:
        return 0


class StoreCatalog:
    """`control.Catalog` on the artifact store."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def facts(self, digest: str) -> Facts:
        artifact = self._artifacts.get(digest)
        if artifact.state is not ArtifactState.VALIDATED or artifact.manifest is None:
            raise Conflict(f"the artifact {digest} is {artifact.state}")
        payload = await self._artifacts.payload(digest)
        return Facts(manifest=artifact.manifest, payload=str(payload), digest=digest)

    async def check(self, spec: PluginSpec) -> str:
        check_config(self._artifacts.get(spec.digest).config_schema, spec.config)
        return ""

    async def make(self, spec: PluginSpec) -> None:
        """These artifacts lack nothing."""


class Cluster:
    """The coordinator and its workers; `restart` replaces one, as the worker pool would."""

    def __init__(self, db: Database, artifacts: ArtifactStore, *, workers: int) -> None:
        self.store = SqliteStore(db)
        self.publish: Callable[[str, dict[str, Any]], None] = lambda topic, data: None
        self.coordinator = Coordinator(
            self.store,
            StoreCatalog(artifacts),
            clock=SystemClock(),
            randomness=random.Random(1),  # noqa: S311 - seeded on purpose
            publish=lambda topic, data: self.publish(topic, data),
            heard=self._heard,
        )
        self.operations = PluginOperations(lambda: self.coordinator.roster, patience=2.0)
        self.names = [f"w{number}" for number in range(workers)]
        self._running: dict[str, tuple[Agent, list[asyncio.Task[None]]]] = {}
        self._boots = 0

    def _heard(self, session: object, message: object) -> None:
        if isinstance(message, Asked):
            self.operations.answered(message)

    async def start(self) -> None:
        await self.coordinator.start()
        for name in self.names:
            self.spawn(name)

    def spawn(self, name: str) -> None:
        self._boots += 1
        agent = Agent(
            Identity(worker=name, pid=1000 + self._boots, boot=str(self._boots)),
            loader=Loader(
                dict.fromkeys(("python", "process", "goso"), PluginRuntime()),
                Hosts(),
                SystemClock(),
            ),
            plane=Plane(),
            clock=SystemClock(),
            randomness=random.Random(self._boots),  # noqa: S311 - seeded on purpose
        )
        here, there = pair()
        tasks = [
            asyncio.create_task(agent.serve(there)),
            asyncio.create_task(self.coordinator.attach(here)),
        ]
        self._running[name] = (agent, tasks)

    def agent(self, name: str) -> Agent:
        """The worker with this name."""
        return self._running[name][0]

    async def end(self, name: str) -> None:
        agent, tasks = self._running.pop(name)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await agent.shutdown()

    async def restart(self, worker: str) -> None:
        if worker not in self._running:
            raise NotFound(f"there is no worker {worker}")
        await self.end(worker)
        self.spawn(worker)

    async def close(self) -> None:
        for name in tuple(self._running):
            await self.end(name)
        await self.coordinator.close()
