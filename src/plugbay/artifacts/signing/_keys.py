"""Keys and certificates: Ed25519, and RSA of 3072 bits or more."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from plugbay.kernel import Invalid, Malformed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    PublicKey = Ed25519PublicKey | RSAPublicKey
    PrivateKey = Ed25519PrivateKey | RSAPrivateKey

RSA_BITS = 3072
"""The least: NIST SP 800-57, 128 bits of security."""
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)


def generate_key() -> bytes:
    """Return a new Ed25519 private key as PEM (PKCS #8), not encrypted."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_private_key(pem: bytes, password: bytes | None = None) -> PrivateKey:
    """Read a private key. Raises `Malformed`, and `Invalid` for a kind that is not taken."""
    try:
        key = serialization.load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Malformed(f"the private key cannot be read: {error}") from error
    if not isinstance(key, Ed25519PrivateKey | RSAPrivateKey):
        raise Invalid(f"expected an Ed25519 or RSA key, found {type(key).__name__}")
    accept(key.public_key())
    return key


def load_public_key(pem: bytes) -> PublicKey:
    """Read a public key, or that of a certificate. Raises `Malformed`, `Invalid`."""
    try:
        if b"BEGIN CERTIFICATE" in pem:
            return accept(x509.load_pem_x509_certificate(pem).public_key())
        return accept(serialization.load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed(f"the public key cannot be read: {error}") from error


def load_chain(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Read certificates. Raises `Malformed`."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise Malformed(f"the certificates cannot be read: {error}") from error


def key_id(key: PublicKey) -> str:
    """Return the SHA-256 of the key's SubjectPublicKeyInfo (RFC 5280), in hex."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(encoding, form)).hexdigest()


def public_pem(key: PublicKey) -> bytes:
    """Return the public key as PEM."""
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, form)


def sign_bytes(key: PrivateKey, data: bytes) -> bytes:
    """Sign: Ed25519 (RFC 8032), or RSASSA-PSS with SHA-256 (RFC 8017)."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, _PSS, hashes.SHA256())


def verifies(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether the key has made the signature of the data."""
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, data)
        else:
            key.verify(signature, data, _PSS, hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def accept(key: PublicKeyTypes) -> PublicKey:
    """Return the key if it is of a kind that is taken. Raises `Invalid`."""
    if isinstance(key, Ed25519PublicKey):
        return key
    if not isinstance(key, RSAPublicKey):
        raise Invalid(f"expected an Ed25519 or RSA key, found {type(key).__name__}")
    if key.key_size < RSA_BITS:
        raise Invalid(f"an RSA key has {RSA_BITS} bits or more, this one {key.key_size}")
    return key
