"""OpenPGP certificates (RFC 9580), taken apart by Sequoia."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pysequoia import Cert
from pysequoia.packet import Packet, PacketPile, Tag

_SECRET = (Tag.SecretKey, Tag.SecretSubkey)
_KEYS = (Tag.PublicKey, Tag.PublicSubkey)
_ELLIPTIC_BITS = {22: 256, 25: 256, 26: 448, 27: 256, 28: 448}
"""Of algorithms whose size is not the first number's: EdDSA, X25519, X448, Ed25519, Ed448."""


class BadKey(Exception):
    """What was sent is no certificate that can be taken."""


@dataclass(frozen=True, slots=True)
class Key:
    """A primary key or a subkey. `created` is in seconds since the Unix epoch."""

    fingerprint: str
    algorithm: int
    bits: int
    created: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and what it is found by. `expires` is in seconds, 0 is never."""

    data: bytes
    primary: Key
    subkeys: tuple[Key, ...]
    user_ids: tuple[str, ...]
    revoked: bool
    expires: int

    @property
    def fingerprint(self) -> str:
        """The primary key's fingerprint, in upper-case hex."""
        return self.primary.fingerprint


def read_certificates(data: bytes, *, keys: int, packets: int) -> list[Certificate]:
    """Read what was submitted. Raises `BadKey`; then nothing of it is to be kept."""
    try:
        found = Cert.split_bytes(data)
        pile = list(PacketPile.from_bytes(data))
    except Exception as error:  # noqa: BLE001 - Sequoia raises nothing more exact
        said = str(error).partition("\n")[0]  # and not the stack trace behind it
        raise BadKey(f"this is no OpenPGP key: {said}") from None
    if not found:
        raise BadKey("there is no OpenPGP key in it")
    if len(found) > keys:
        raise BadKey(f"a submission has {keys} keys at most, this one {len(found)}")
    if len(pile) > packets:
        raise BadKey(f"a submission has {packets} packets at most, this one {len(pile)}")
    if any(packet.tag in _SECRET for packet in pile):
        raise BadKey("this is a secret key: send the public one, and do not use it any more")
    return [describe(exportable(cert)) for cert in found]


def exportable(cert: Cert) -> Cert:
    """Leave out the signatures that are not for others (RFC 9580, section 5.2.3.19)."""
    packets = list(PacketPile.from_bytes(bytes(cert)))
    kept = [p for p in packets if p.tag != Tag.Signature or p.exportable is not False]
    return cert if len(kept) == len(packets) else Cert.from_packets(kept)


def merged(old: bytes, new: bytes) -> Cert:
    """Return one certificate with the packets of both."""
    return Cert.from_bytes(old).merge(Cert.from_bytes(new))


def describe(cert: Cert) -> Certificate:
    """Take a certificate apart."""
    data = bytes(cert)
    keys = [_key(p) for p in PacketPile.from_bytes(data) if p.tag in _KEYS]
    if not keys:
        raise BadKey("there is no public key in it")
    expires = cert.expiration
    return Certificate(
        data=data,
        primary=keys[0],
        subkeys=tuple(keys[1:]),
        user_ids=tuple(_user_ids(data)),
        revoked=bool(cert.is_revoked),
        expires=0 if expires is None else int(expires.timestamp()),
    )


def _user_ids(data: bytes) -> list[str]:
    return [
        bytes(packet.body).decode("utf-8", "replace")
        for packet in PacketPile.from_bytes(data)
        if packet.tag == Tag.UserID
    ]


def _key(packet: Packet) -> Key:
    body = bytes(packet.body)
    algorithm = body[5]
    return Key(
        fingerprint=str(packet.fingerprint).upper(),
        algorithm=algorithm,
        bits=_bits(body, algorithm),
        created=int.from_bytes(body[1:5], "big"),
    )


def _bits(body: bytes, algorithm: int) -> int:
    """The size that people know a key by."""
    if algorithm in _ELLIPTIC_BITS:
        return _ELLIPTIC_BITS[algorithm]
    material = 6 if body[0] == 4 else 10
    if algorithm in (18, 19):  # ECDH and ECDSA: the curve's name comes first
        length = body[material]
        return {8: 256, 5: 384, 9: 256, 10: 256}.get(length, 0)
    return int.from_bytes(body[material : material + 2], "big")


def day(seconds: int) -> str:
    """Return a date for people."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
