"""SHA-256 digests: of files, and as the `Repr-Digest` field carries them (RFC 9530)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from plugbay.kernel import Malformed

if TYPE_CHECKING:
    from typing import BinaryIO

CHUNK = 1 << 18
_HEX = re.compile(r"[0-9a-f]{64}")
_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)\s*=\s*:([A-Za-z0-9+/=]*):\s*")


def is_digest(text: str) -> bool:
    """Return whether `text` is a SHA-256 in lower-case hex."""
    return _HEX.fullmatch(text) is not None


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 in hex of what is left to read of `file`."""
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def parse_repr_digest(value: str) -> str | None:
    """Return the SHA-256 in hex that a `Repr-Digest` field names (RFC 9530, section 3).

    The field is a dictionary of structured fields (RFC 8941): `sha-256=:<base64>:`. Other
    algorithms are ignored; None if there is no SHA-256. Raises `Malformed`.
    """
    found: str | None = None
    for part in value.split(","):
        member = _MEMBER.fullmatch(part)
        if member is None:
            raise Malformed(f"Repr-Digest: expected 'sha-256=:<base64>:', found {part.strip()!r}")
        if member[1] == "sha-256":
            found = _decoded(member[2])
    return found


def format_repr_digest(digest: str) -> str:
    """Return the `Repr-Digest` field of a SHA-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:"


def _decoded(text: str) -> str:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Malformed(f"Repr-Digest: {text!r} is not base64: {error}") from None
    if len(raw) != hashlib.sha256().digest_size:
        raise Malformed(f"Repr-Digest: a sha-256 has 32 bytes, found {len(raw)}")
    return raw.hex()
