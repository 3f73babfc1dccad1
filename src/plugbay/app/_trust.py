"""Whom the settings trust to sign artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.artifacts.signing import Publisher, Rule, Trust, load_chain, load_public_key
from plugbay.kernel import Invalid, PlugbayError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from plugbay.settings import PublisherSettings, SigningSettings

    T = TypeVar("T")


def read_trust(settings: SigningSettings) -> Trust:
    """Read the keys and certificates that the settings name. Raises `Invalid`."""
    publishers = tuple(
        _publisher(entry, f"/signing/publishers/{index}")
        for index, entry in enumerate(settings.publishers)
    )
    known = {publisher.name for publisher in publishers}
    for index, rule in enumerate(settings.rules):
        if strangers := set(rule.publishers) - known:
            raise _wrong(f"/signing/rules/{index}/publishers", "unknown", ", ".join(strangers))
    return Trust(
        policy=settings.policy,
        publishers=publishers,
        rules=tuple(
            Rule(
                plugins=rule.plugins,
                users=rule.users,
                publishers=rule.publishers,
                policy=rule.policy,
            )
            for rule in settings.rules
        ),
        revoked=frozenset(one.lower().replace(":", "") for one in settings.revoked),
    )


def _publisher(entry: PublisherSettings, at: str) -> Publisher:
    if not entry.keys and not entry.roots:
        raise _wrong(at, "neither keys nor roots: nothing could be by this publisher", "none")
    keys = tuple(_read(path, load_public_key, f"{at}/keys") for path in entry.keys)
    roots = tuple(one for path in entry.roots for one in _read(path, load_chain, f"{at}/roots"))
    return Publisher.of(entry.name, keys, roots, entry.subjects)


def _read(path: str, load: Callable[[bytes], T], at: str) -> T:
    try:
        return load(Path(path).read_bytes())
    except (OSError, PlugbayError) as error:
        raise _wrong(at, str(error), path) from error


def _wrong(at: str, detail: str, found: str) -> Invalid:
    problem = Problem(at, detail, expected="PEM files, and publishers that are listed", found=found)
    return Invalid("the settings of signatures are wrong", problems=(problem,))
