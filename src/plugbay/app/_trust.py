"""Whom the settings trust to sign artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts.signing import Identity, Rule, SigstoreRoot, Trust, read_publisher
from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from plugbay.artifacts.signing import Publisher
    from plugbay.settings import PublisherSettings, SigningSettings


def read_trust(settings: SigningSettings) -> Trust:
    """Read the keys and certificates that the settings name.

    Raises `Invalid`, and `ExtraMissing` if they name a root of Sigstore and it is not installed.
    """
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
        sigstore=_sigstore(settings),
    )


def _publisher(entry: PublisherSettings, at: str) -> Publisher:
    if not entry.keys and not entry.roots and not entry.identities:
        none = "neither keys nor roots nor identities: nothing could be by this publisher"
        raise _wrong(at, none, "none")
    identities = tuple(
        Identity(identity=one.identity, issuer=one.issuer) for one in entry.identities
    )
    try:
        return read_publisher(
            entry.name,
            keys=entry.keys,
            roots=entry.roots,
            subjects=entry.subjects,
            identities=identities,
        )
    except Invalid as error:
        [problem] = error.problems
        raise _wrong(f"{at}{problem.pointer}", problem.detail, problem.found) from error


def _sigstore(settings: SigningSettings) -> SigstoreRoot | None:
    """Read the trusted root, which is needed where identities are named."""
    at = "/signing/sigstore_root"
    if settings.sigstore_root:
        try:
            return SigstoreRoot.read(settings.sigstore_root)
        except Invalid as error:
            raise _wrong(at, error.detail, settings.sigstore_root) from error
    if any(entry.identities for entry in settings.publishers):
        raise _wrong(at, "identities are named, and no trusted root", "none")
    return None


def _wrong(at: str, detail: str, found: str) -> Invalid:
    problem = Problem(at, detail, expected="PEM files, and publishers that are listed", found=found)
    return Invalid("the settings of signatures are wrong", problems=(problem,))
