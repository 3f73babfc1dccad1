"""DSSE envelopes around in-toto statements.

Dead Simple Signing Envelope v1 (github.com/secure-systems-lab/dsse), in-toto Statement v1.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.kernel import Malformed

if TYPE_CHECKING:
    from collections.abc import Collection

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://plugbay.dev/publication/v1"
LARGEST = 1 << 20
MOST_SHOWN = 3
"""Digests that one refusal names."""
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature. `keyid` is only a hint; `cert` is the signer's certificate chain as PEM,
    the leaf first, or empty."""

    keyid: str
    sig: str
    cert: str = ""

    @property
    def value(self) -> bytes:
        """The signature's bytes. Raises `Malformed`."""
        return _decode(self.sig, "sig")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload and its signatures."""

    payload: str
    payloadType: str
    signatures: tuple[Signature, ...]

    @classmethod
    def around(cls, statement: dict[str, Any]) -> Envelope:
        """Wrap a statement that is not signed yet."""
        return cls(base64.b64encode(msgspec.json.encode(statement)).decode(), PAYLOAD_TYPE, ())

    @classmethod
    def parse(cls, raw: bytes) -> Envelope:
        """Read an envelope. Raises `Malformed`."""
        if len(raw) > LARGEST:
            raise Malformed(f"a signature has {LARGEST} bytes at most, this one {len(raw)}")
        try:
            return msgspec.json.decode(raw, type=cls)
        except msgspec.MsgspecError as error:
            raise Malformed(f"the signature is no DSSE envelope: {error}") from error

    def encode(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self)

    @property
    def to_sign(self) -> bytes:
        """The pre-authentication encoding, which is what is signed. Raises `Malformed`."""
        kind, body = self.payloadType.encode(), _decode(self.payload, "payload")
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)

    def statement(self) -> dict[str, Any]:
        """Return what is said. Raises `Malformed`, also if it is no in-toto statement."""
        if self.payloadType != PAYLOAD_TYPE:
            raise Malformed(f"expected a payload of type {PAYLOAD_TYPE}, found {self.payloadType}")
        try:
            found = msgspec.json.decode(_decode(self.payload, "payload"), type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise Malformed(f"the signature's payload is no JSON object: {error}") from error
        if found.get("_type") != STATEMENT:
            raise Malformed(f"expected a statement of type {STATEMENT}, found {found.get('_type')}")
        return found

    def digests(self) -> frozenset[str]:
        """Return the SHA-256 in hex of each subject. Raises `Malformed`."""
        subjects = self.statement().get("subject")
        try:
            digests = msgspec.convert(subjects, list[dict[str, Any]])
            return frozenset(
                str(msgspec.convert(s["digest"], dict[str, str])["sha256"]) for s in digests
            )
        except (msgspec.MsgspecError, KeyError) as error:
            raise Malformed("the signature names no SHA-256 of a subject") from error


def statement_of(name: str, digest: str, predicate: dict[str, Any]) -> dict[str, Any]:
    """Say of the artifact with this SHA-256 what the predicate says."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}}],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }


def other_artifact(signed: Collection[str], found: str) -> str:
    """Say that the artifact `found` is not the one that was signed; digests are in hex.

    What was signed is nobody's word yet, so only what looks like a digest is repeated.
    """
    digests = sorted(one for one in signed if _DIGEST.fullmatch(one))[:MOST_SHOWN]
    said = f"for SHA-256 {' and '.join(digests)}" if digests else "for what is no SHA-256"
    return f"the signature is of another artifact: it was made {said}, and here is SHA-256 {found}"


def _decode(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"the signature's {what} is not base64") from error
