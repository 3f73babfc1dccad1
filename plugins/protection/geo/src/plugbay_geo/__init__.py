"""Limits by country and network, and finds journeys that are impossible and crowds that are not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from plugbay.sdk import (
    AdminOperation,
    AdminOperations,
    EventHandler,
    Plugin,
    RequestFilter,
    Stateful,
)
from plugbay.sdk.protection import (
    LIFT,
    THREAT,
    VIOLATION,
    Guard,
    Identities,
    Ledger,
    Networks,
    Timed,
    Verdict,
    address_identity,
    asked,
    asked_identity,
)

from ._clusters import Clusters
from ._config import Config as Config
from ._config import Rate as Rate
from ._databases import Databases
from ._databases import DatabaseUnreadable as DatabaseUnreadable
from ._policy import block, refused
from ._rates import EACH, SIZE, CountryRates
from ._trails import WORD, Trails
from ._travel import Travel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Event, Request, Response
    from plugbay.sdk.protection import Identity

    from ._place import Place

ANOMALY: Final = "ratelimit.geo.anomaly"
_MOST: Final = 16_384
_LIFTS: Final = 1_000


class Geo(Plugin[Config], RequestFilter, EventHandler, Stateful, AdminOperations):
    """Says where a client is, and refuses by policy, rate, crowd and journey."""

    topics = (LIFT, VIOLATION, THREAT)
    operations = (
        AdminOperation("status", "The databases, how old they are, and what is kept."),
        AdminOperation("lookup", "What the databases say of `ip`."),
        AdminOperation("check", "What is held against `identity` (or `ip`)."),
        AdminOperation("lift", "Leave `identity` in peace for a day.", changes=True),
    )

    async def start(self) -> None:
        config, host = self.config, self.host
        self.databases = Databases([host.data_dir / path for path in config.databases])
        await self.databases.load()
        self._guard = Guard(host, config.mode)
        self._identities = Identities(config.key_header, config.session_cookie)
        self._exempt = Networks(config.exempt)
        self._blocked: Timed[str] = Timed(_MOST)
        self._lifted: Timed[str] = Timed(_LIFTS)
        tables = {"blocked": self._blocked, "lifted": self._lifted}
        self._ledger = Ledger(host, "lifted", tables, kept=("lifted",))
        self._rates = CountryRates(host.shared("rates", SIZE, each=EACH))
        trails = Trails(host.shared("trails", config.trails // 8 * 8 * WORD), config.travel_ttl)
        self._travel = Travel(trails, speed=config.travel_kmh, least=config.travel_least)
        self._clusters = Clusters(
            radius=config.cluster_radius,
            window=config.cluster_window,
            size=config.cluster_size,
            most=config.cluster_most,
        )
        self._built = host.metrics.gauge("database_built", "Unix time.", ("database",))
        self._failing = host.metrics.gauge("database_failing", "1 if unreadable.", ("database",))
        self._unknown = host.metrics.counter("unknown_total", "Requests from nowhere known.")
        if config.databases:
            host.spawn(self._watch(), name="watch databases")
        host.spawn(self._ledger.load(), name="load lifts")

    # --- requests

    def on_request(self, request: Request) -> Response | None:
        """Refuse by country and network, then by rate, by cluster, and by journey."""
        client = request.client
        if client in self._exempt:
            return None
        place = self.databases.find(client)
        config = self.config
        if place.asn and place.asn in config.exempt_asns:
            return None
        who = self._identities.of(request)
        if self._lifted and self._is_lifted(who):
            return None
        verdict = self._judge(who, place)
        if verdict is None:
            return None
        topic = VIOLATION if verdict.reason == "country-rate" else ANOMALY
        return self._guard.judge(verdict, topic=topic, client=client)

    def _judge(self, who: Identity, place: Place) -> Verdict | None:
        config = self.config
        if not place.known:
            self._unknown.inc()
        found = refused(config, who.address, place)
        if found is None and config.country_rates and place.country:
            found = self._rate(who, place)
        if found is None and config.cluster_size:
            found = self._crowd(who, place)
        if found is None and config.travel_kmh and place.point and (who.session or who.key):
            found = self._journey(who, place)
        return found

    def _rate(self, who: Identity, place: Place) -> Verdict | None:
        rates = self.config.country_rates
        rate = rates.get(place.country) or rates.get("*")
        if rate is None:
            return None
        wait = self._rates.take(place.country, rate.limit, rate.window, self.host.now())
        if not wait:
            return None
        return Verdict(
            action="block",
            identity=who.address,
            reason="country-rate",
            detail=f"more than {rate.limit} requests in {rate.window:g} s from {place.country}",
            seconds=wait,
            status=429,
            retry_after=wait,
        )

    def _crowd(self, who: Identity, place: Place) -> Verdict | None:
        if self.config.cluster_of == "all":
            self._notice(who.address, place)
        if not self._blocked:
            return None
        now = self.host.clock.time()
        reason = self._blocked.get(who.address, now)
        if reason is None:
            return None
        return block(who.address, "cluster", reason, self._blocked.until(who.address) - now)

    def _notice(self, address: str, place: Place) -> None:
        """Take note of where an address is; refuse a cluster from now on."""
        now = self.host.now()
        if place.point is None or self._clusters.is_fresh(address, now):
            return
        members = self._clusters.add(address, place.point, now)
        wall = self.host.clock.time()
        for member in members:
            if not self._lifted.get(member, wall):
                where = f"{len(members)} addresses near {place.city or place.country}"
                self._blocked.put(member, where, wall + self.config.cluster_seconds, wall)

    def _journey(self, who: Identity, place: Place) -> Verdict | None:
        for identity in (who.session, who.key):
            if not identity or place.point is None:
                continue
            journey = self._travel.to(identity, place.point, self.host.now())
            if journey is not None:
                detail = f"{journey.distance:.0f} km in {journey.seconds:.0f} s"
                return block(identity, "travel", detail, journey.wait)
        return None

    def _is_lifted(self, who: Identity) -> bool:
        now = self.host.clock.time()
        return any(self._lifted.get(name, now) for name in who.names)

    # --- what others say

    def on_event(self, event: Event) -> None:
        """Forget whom an administrator lifts; note where those are of whom others tell."""
        if event.topic == LIFT:
            self._forget(str(event.data.get("identity", ""))[:256])
            return
        client = event.data.get("client")
        if (
            event.source == self.host.plugin
            or not isinstance(client, str)
            or client in self._exempt
        ):
            return
        if self.config.cluster_size and self.config.cluster_of == "suspects":
            place = self.databases.find(client)
            if place.asn not in self.config.exempt_asns:
                self._notice(address_identity(client), place)

    def _forget(self, identity: str) -> None:
        now = self.host.clock.time()
        self._lifted.put(identity, "lifted", now + self.config.lift_seconds, now)
        self._blocked.pop(identity)
        self._clusters.forget(identity)
        self._travel.forget(identity)
        self._guard.forget(identity)

    # --- administrators

    async def on_operation(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out an administrator's operation."""
        match name:
            case "status":
                return self._status()
            case "lookup":
                return self._lookup(asked(arguments, "ip"))
            case "check":
                return self._check(asked_identity(arguments))
            case _:
                identity = asked_identity(arguments)
                self._forget(identity)
                self._guard.lift(identity)
                await self._ledger.keep()
                return {"identity": identity}

    def _status(self) -> dict[str, Any]:
        opened = self.databases.open
        return {
            "mode": self.config.mode,
            "databases": [
                {"path": str(one.path), "kind": one.kind, "built": one.built} for one in opened
            ],
            "errors": dict(self.databases.errors),
            "blocked": len(self._blocked),
            "lifted": len(self._lifted),
            "clustered": len(self._clusters),
        }

    def _lookup(self, address: str) -> dict[str, Any]:
        place = self.databases.find(address)
        point = place.point
        return {
            "ip": address,
            "known": place.known,
            "country": place.country,
            "city": place.city,
            "asn": place.asn,
            "owner": place.owner,
            "latitude": point.latitude if point else None,
            "longitude": point.longitude if point else None,
            "accuracy_km": point.accuracy if point else None,
            "exempt": address in self._exempt or place.asn in self.config.exempt_asns,
        }

    def _check(self, identity: str) -> dict[str, Any]:
        now = self.host.clock.time()
        return {
            **self._lookup(identity.partition("/")[0]),
            "identity": identity,
            "blocked": self._blocked.get(identity, now) or "",
            "until": self._blocked.until(identity),
            "lifted": self._lifted.get(identity, now) is not None,
        }

    # --- state

    def snapshot(self) -> bytes:
        """Return who is refused and who was lifted; trails and rates are in shared memory."""
        return self._ledger.dump()

    def restore(self, state: bytes) -> None:
        """Take that over."""
        self._ledger.take(state)

    async def _watch(self) -> None:
        """Take in database files that have changed."""
        while True:
            for one in self.databases.open:
                self._built.set(one.built, database=one.path.name)
                failing = str(one.path) in self.databases.errors
                self._failing.set(float(failing), database=one.path.name)
            await asyncio.sleep(self.config.look_seconds)
            if await self.databases.renew():
                self.host.log.info("the databases were renewed")
            for path, error in self.databases.errors.items():
                self.host.log.warning("%s is not renewed: %s", path, error)
