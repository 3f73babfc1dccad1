"""Who is refused by country and by network, whatever he does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.sdk.protection import Verdict

if TYPE_CHECKING:
    from ._config import Config
    from ._place import Place


def refused(config: Config, identity: str, place: Place) -> Verdict | None:
    """Return the verdict about somebody at a place; None if the policy lets him pass."""
    country, asn = place.country, place.asn
    strict = config.unknown == "block"
    if country in config.deny_countries:
        return block(identity, "country", country)
    if config.allow_countries and country not in config.allow_countries and (country or strict):
        return block(identity, "country", country or "unknown")
    if asn in config.deny_asns:
        return block(identity, "asn", f"AS{asn} {place.owner}")
    if config.allow_asns and asn not in config.allow_asns and (asn or strict):
        return block(identity, "asn", f"AS{asn} {place.owner}" if asn else "unknown")
    return None


def block(identity: str, reason: str, detail: str, seconds: float = 0.0) -> Verdict:
    """Return the verdict that refuses somebody."""
    return Verdict(action="block", identity=identity, reason=reason, detail=detail, seconds=seconds)
