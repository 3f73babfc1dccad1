"""Certificate authorities made in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

NOW = datetime(2026, 6, 1, tzinfo=UTC)
UNUSED = dict.fromkeys(
    (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)
"""What no key here is for (RFC 5280, 4.2.1.3)."""


@dataclass(frozen=True)
class Holder:
    """A key and its certificate."""

    key: Ed25519PrivateKey | RSAPrivateKey
    certificate: x509.Certificate

    def issue(
        self,
        name: str,
        key: Ed25519PrivateKey | RSAPrivateKey | None = None,
        *,
        ca: bool = False,
        path_length: int | None = None,
        signs: bool | None = None,
        begin: datetime = NOW - timedelta(days=1),
        end: datetime = NOW + timedelta(days=365),
    ) -> Holder:
        """Certify another."""
        return _make(
            self, name, key or Ed25519PrivateKey.generate(), ca, path_length, signs, begin, end
        )


def root(name: str, key: Ed25519PrivateKey | RSAPrivateKey | None = None) -> Holder:
    """An authority that certifies itself."""
    key = key or Ed25519PrivateKey.generate()
    end = NOW + timedelta(days=3650)
    return _make(None, name, key, True, None, None, NOW - timedelta(days=10), end)


def _make(
    issuer: Holder | None,
    name: str,
    key: Ed25519PrivateKey | RSAPrivateKey,
    ca: bool,
    path_length: int | None,
    signs: bool | None,
    begin: datetime,
    end: datetime,
) -> Holder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by = issuer.key if issuer else key
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca, key_cert_sign=ca if signs is None else signs, **UNUSED
            ),
            critical=True,
        )
        .sign(by, None if isinstance(by, Ed25519PrivateKey) else hashes.SHA256())
    )
    return Holder(key, made)
