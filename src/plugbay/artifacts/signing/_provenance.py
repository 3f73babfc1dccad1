"""What was found out about who has signed an artifact."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who has signed an artifact, as far as it was verified.

    `publisher` is empty unless a signature is good and from somebody known; then `problems` is
    empty too. Else it says of every signature why it does not count. `identity` and `issuer` are
    those of a Sigstore certificate.
    """

    publisher: str = ""
    keyid: str = ""
    signed_at: str = ""
    expires: str = ""
    problems: tuple[str, ...] = ()
    identity: str = ""
    issuer: str = ""
