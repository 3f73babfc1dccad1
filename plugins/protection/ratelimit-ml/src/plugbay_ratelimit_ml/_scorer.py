"""The background task: takes clients from a bounded queue, scores them, and learns."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from plugbay.sdk import HostUnavailable

from ._agents import says_so
from ._online import Online, StateRefused, parsed
from ._usual import Usual

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.sdk import Host

    from ._config import Config
    from ._profile import Profile

SLICE: Final = 0.01
"""Seconds of scoring between which requests are served."""
KEEP: Final = 60.0
DRIFTED: Final = "ml.drift"
_PRIOR = Path(__file__).resolve().parent / "prior.json"
_KEY = "model"


class Scorer:
    """Owns the model and the queue. `found` is told the identity, profile and score of each."""

    def __init__(
        self, host: Host, config: Config, found: Callable[[str, Profile, float], None]
    ) -> None:
        self._host, self._config, self._found = host, config, found
        self._queue: deque[tuple[str, Profile]] = deque()
        self._wake = asyncio.Event()
        self._given: dict[str, Any] | None = None
        self.model: Online | None = None
        self.usual = Usual(config.rare)
        self.scored = 0
        self.dropped = 0
        self._kept = 0
        self._drops = host.metrics.counter(
            "queue_dropped_total", "Clients that were not scored because too many wait."
        )
        self._drifts = host.metrics.counter("drift_total", "Times that the model's errors shifted.")

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, identity: str, profile: Profile) -> None:
        """Let a client be scored soon; never waits."""
        if len(self._queue) >= self._config.queue:
            self.dropped += 1
            self._drops.inc()
            return
        self._queue.append((identity, profile))
        self._wake.set()

    def give(self, state: dict[str, Any]) -> None:
        """Take over the model of the generation before, now or when this one has its own."""
        self._given = state
        if self.model is not None:
            self.model.load(state)

    def dump(self) -> dict[str, Any] | None:
        """Return the model's state, if there is any yet."""
        return self._given if self.model is None else self.model.dump()

    async def run(self) -> None:
        """Load the model, then score whoever waits; until it is cancelled."""
        if self.model is None:
            # The import takes seconds of processor time, in a thread that lets others run.
            model = await asyncio.to_thread(Online)
            await self._begin(model)
            self.model = model
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._some(self.model)
                await asyncio.sleep(0)

    async def _begin(self, model: Online) -> None:
        """Start from what the generation before had, from what was kept, or from the prior."""
        for state in (self._given, await self._stored(), await self._shipped()):
            if state is None:
                continue
            try:
                model.load(state)
            except StateRefused as error:
                self._host.log.warning("a model's state is not taken over: %s", error)
            else:
                return

    async def _stored(self) -> dict[str, Any] | None:
        if self._given is not None or not self._config.learn:
            return None
        try:
            kept = await self._host.kv.get(_KEY)
            return None if kept is None else parsed(kept)
        except (HostUnavailable, StateRefused) as error:
            self._host.log.warning("the model that was kept cannot be read: %s", error)
            return None

    async def _shipped(self) -> dict[str, Any] | None:
        if not self._config.prior:
            return None
        return parsed(await asyncio.to_thread(_PRIOR.read_bytes))

    def _some(self, model: Online) -> None:
        """Work for a moment."""
        until = time.monotonic() + SLICE
        while self._queue and time.monotonic() < until:
            identity, profile = self._queue.popleft()
            self._one(model, identity, profile)

    def _one(self, model: Online, identity: str, profile: Profile) -> None:
        features = profile.features()
        profile.score = model.score(features)
        self.scored += 1
        hostile = profile.flagged or says_so(profile.agent)
        if not hostile:
            self.usual.add(profile.score)
        if model.warm:
            self._found(identity, profile, profile.score)
        # Who looks like software and does not say so is no example of a person: it would teach
        # the model to let it pass.
        if self._config.learn and (hostile or profile.score < self._config.suspect_from):
            self._learn(model, features, hostile)

    def correct(self, profile: Profile) -> None:
        """Learn that a client is none of those: an administrator says so."""
        if self.model is not None and self._config.learn:
            self._learn(self.model, profile.features(), False)

    def _learn(self, model: Online, features: dict[str, float], hostile: bool) -> None:
        if model.learn(features, hostile):
            self._drifts.inc()
            self._host.log.warning("the model's errors have shifted: look at what it decides")
            self._host.events.publish(DRIFTED, samples=model.samples, drifts=model.drifts)

    async def keep(self) -> None:
        """Keep the model for a gateway that starts again; until it is cancelled."""
        while True:
            await asyncio.sleep(KEEP)
            await self.store()

    async def store(self) -> None:
        """Keep the model now, if it has learned since."""
        if self.model is None or not self._config.learn or self.model.samples == self._kept:
            return
        try:
            await self._host.kv.set(_KEY, json.dumps(self.model.dump()).encode())
            self._kept = self.model.samples
        except (HostUnavailable, ValueError) as error:
            self._host.log.warning("the model is not kept: %s", error)
