"""Limits by country and network, and finds journeys that are impossible and crowds that are not."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from plugbay.sdk import (
    AdminOperation,
    AdminOperations,
    EventHandler,
    HostUnavailable,
    OperationRefused,
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
    Networks,
    Timed,
    Verdict,
    address_identity,
)

from ._clusters import Clusters
from ._config import Config as Config
from ._config import Rate as Rate
from ._databases import Databases
from ._databases import DatabaseUnreadable as DatabaseUnreadable
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
        host.spawn(self._load(), name="load lifts")

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
        found = self._policy(who, place)
        if found is None and config.country_rates and place.country:
            found = self._rate(who, place)
        if found is None and config.cluster_size:
            found = self._crowd(who, place)
        if found is None and config.travel_kmh and place.point and (who.session or who.key):
            found = self._journey(who, place)
        return found

    def _policy(self, who: Identity, place: Place) -> Verdict | None:
        config, country, asn = self.config, place.country, place.asn
        strict = config.unknown == "block"
        if country in config.deny_countries:
            return _block(who.address, "country", country)
        if config.allow_countries and country not in config.allow_countries and (country or strict):
            return _block(who.address, "country", country or "unknown")
        if asn in config.deny_asns:
            return _block(who.address, "asn", f"AS{asn} {place.owner}")
        if config.allow_asns and asn not in config.allow_asns and (asn or strict):
            return _block(who.address, "asn", f"AS{asn} {place.owner}" if asn else "unknown")
        return None

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
        return _block(who.address, "cluster", reason, self._blocked.until(who.address) - now)

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
                return _block(identity, "travel", detail, journey.wait)
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
                return self._lookup(_asked(arguments, "ip"))
            case "check":
                return self._check(address_identity(_asked(arguments, "identity", "ip")))
            case _:
                identity = address_identity(_asked(arguments, "identity", "ip"))
                self._forget(identity)
                self._guard.lift(identity)
                await self._keep()
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
        now = self.host.clock.time()
        tables = {"blocked": self._blocked, "lifted": self._lifted}
        return json.dumps({name: list(table.items(now)) for name, table in tables.items()}).encode()

    def restore(self, state: bytes) -> None:
        """Take that over."""
        now, kept = self.host.clock.time(), json.loads(state)
        for name, table in (("blocked", self._blocked), ("lifted", self._lifted)):
            for key, until, value in kept.get(name, ()):
                table.put(str(key), str(value), float(until), now)

    async def _keep(self) -> None:
        """Keep lifts for workers to come; without the supervisor they are in these only."""
        lifted = list(self._lifted.items(self.host.clock.time()))
        try:
            await self.host.kv.set("lifted", json.dumps({"lifted": lifted[-256:]}).encode())
        except (HostUnavailable, ValueError) as error:
            self.host.log.warning("lifts are not kept: %s", error)

    async def _load(self) -> None:
        try:
            kept = await self.host.kv.get("lifted")
            if kept is not None:
                self.restore(kept)
        except (HostUnavailable, ValueError) as error:
            self.host.log.warning("lifts cannot be read: %s", error)

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


def _block(identity: str, reason: str, detail: str, seconds: float = 0.0) -> Verdict:
    return Verdict(action="block", identity=identity, reason=reason, detail=detail, seconds=seconds)


def _asked(arguments: Mapping[str, Any], *names: str) -> str:
    found = next((arguments[name] for name in names if arguments.get(name)), None)
    if not isinstance(found, str) or len(found) > 256:
        raise OperationRefused(f"say of whom: {' or '.join(names)}")
    return found
