"""A signature as it comes with an artifact: our envelope, or a Sigstore bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts.signing._envelope import Envelope
from plugbay.artifacts.signing._provenance import Provenance
from plugbay.artifacts.signing._sigstore import is_bundle
from plugbay.artifacts.signing._verify import verify
from plugbay.kernel import Malformed

if TYPE_CHECKING:
    from plugbay.artifacts.signing._trust import Trust


def check(raw: bytes, digest: str, trust: Trust, *, now: float) -> Provenance:
    """Verify that somebody known has signed the artifact with this SHA-256 in hex.

    `now` is in seconds since the Unix epoch. Never raises for what the signature says.
    """
    if is_bundle(raw):
        if trust.sigstore is None:
            why = "it is a Sigstore bundle, and no trusted root of Sigstore is given here"
            return Provenance(problems=(why,))
        return trust.sigstore.verify(raw, digest, trust.publishers, trust.revoked)
    try:
        envelope = Envelope.parse(raw)
    except Malformed as error:
        return Provenance(problems=(error.detail,))
    return verify(envelope, digest, trust, now=now)
