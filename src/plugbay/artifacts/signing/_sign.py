"""Signing an artifact."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from plugbay.artifacts.signing._envelope import Envelope, Signature, statement_of
from plugbay.artifacts.signing._keys import accept, key_id, sign_bytes
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate

    from plugbay.artifacts.signing._keys import PrivateKey


def sign(
    name: str,
    digest: str,
    key: PrivateKey,
    *,
    chain: Sequence[Certificate] = (),
    now: float,
    expires: float | None = None,
) -> Envelope:
    """Say that this artifact is published by the key's owner, until `expires`.

    `digest` is its SHA-256 in hex; times are seconds since the Unix epoch. `chain` are the
    certificates of the key, its own first. Raises `Invalid` if that is another key's.
    """
    own = key_id(key.public_key())
    if chain and key_id(accept(chain[0].public_key())) != own:
        raise Invalid("the first certificate is not that of the key")
    predicate = {"signedAt": _stamp(now)}
    if expires is not None:
        predicate["expires"] = _stamp(expires)
    envelope = Envelope.around(statement_of(name, digest, predicate))
    made = Signature(
        keyid=own,
        sig=base64.b64encode(sign_bytes(key, envelope.to_sign)).decode(),
        cert="".join(one.public_bytes(Encoding.PEM).decode() for one in chain),
    )
    return replace(envelope, signatures=(made,))


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
