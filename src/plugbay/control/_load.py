"""How a generation is made on a worker: its host is lent, the runtime loads, and it is closed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.kernel import CircuitBreaker, Generation, LoadFailed, LoadRequest, OutOfProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.control._messages import Facts
    from plugbay.control._model import PluginSpec
    from plugbay.control._ports import Hosts, Lent
    from plugbay.kernel import Clock, Hook, Instance, Runtime


class Loader:
    """Makes generations, by the runtime that their manifest names."""

    def __init__(self, runtimes: Mapping[str, Runtime], hosts: Hosts, clock: Clock) -> None:
        self._runtimes, self._hosts, self._clock = runtimes, hosts, clock

    def generation(self, spec: PluginSpec, facts: Facts, number: int) -> Generation:
        """Return a generation that can be loaded; nothing of the plugin runs yet."""

        async def load(number: int) -> Instance:
            return await self._load(spec, facts, number)

        return Generation(
            plugin=spec.id,
            number=number,
            digest=spec.digest,
            config_version=spec.config_version,
            manifest=facts.manifest,
            load=load,
            breaker=CircuitBreaker(self._clock),
        )

    async def _load(self, spec: PluginSpec, facts: Facts, number: int) -> Instance:
        name = spec.runtime_of(facts.manifest)
        runtime = self._runtimes.get(name)
        if runtime is None:
            known = ", ".join(sorted(self._runtimes))
            detail = f"there is no runtime {name} here, only {known}"
            raise LoadFailed(spec.id, detail, generation=number)
        lent = self._hosts.lend(facts.manifest, number)
        request = LoadRequest(
            manifest=facts.manifest,
            payload=Path(facts.payload),
            digest=spec.digest,
            config=spec.config,
            host=lent.host,
            generation=number,
            environment=Path(facts.environment) if facts.environment else None,
        )
        try:
            return Hosted(await runtime.load(request), lent)
        except BaseException:
            await lent.close()
            raise


class Hosted:
    """An instance whose host is closed when it has stopped."""

    def __init__(self, instance: Instance, lent: Lent) -> None:
        self._instance, self._lent = instance, lent
        self.start, self.health = instance.start, instance.health
        self.snapshot, self.restore = instance.snapshot, instance.restore

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """The instance's own callables: a request passes nothing of this class."""
        return self._instance.hooks

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the background tasks that it has started and that run now."""
        return self._lent.tasks

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that it runs in, if it has some of its own."""
        return self._instance.pids if isinstance(self._instance, OutOfProcess) else ()

    async def stop(self) -> None:
        """Stop the instance, then take back what it was lent, whatever `stop` did."""
        try:
            await self._instance.stop()
        finally:
            await self._lent.close()
