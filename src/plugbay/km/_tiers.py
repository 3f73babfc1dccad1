"""What a user has paid for: Free < Pro < Enterprise."""

from __future__ import annotations

TIERS = ("Free", "Pro", "Enterprise")
_RANKS = {tier.casefold(): rank for rank, tier in enumerate(TIERS)}


def permits(required: str, granted: str) -> bool:
    """Whether a user of tier `granted` may use what needs `required`; not if either is unknown."""
    need, have = _RANKS.get(required.casefold()), _RANKS.get(granted.casefold())
    return need is not None and have is not None and need <= have


def stricter(one: str, other: str) -> str:
    """Return the higher of two required tiers; one that is unknown is the highest."""
    return max(one, other, key=lambda tier: _RANKS.get(tier.casefold(), len(TIERS)))


def spelled(tier: str) -> str:
    """Return a tier as it is written; one that is unknown stays as it is."""
    rank = _RANKS.get(tier.casefold())
    return tier if rank is None else TIERS[rank]
