"""A Sigstore instance in memory: an authority for identities, a log of certificates, and a log of
signatures. It makes the trusted root that an operator would give, and bundles as clients do.

After the specifications: Fulcio's certificates (sigstore/fulcio, docs/certificate-specification),
RFC 6962 (SCT and Merkle tree), Rekor's entries (sigstore/rekor, hashedrekord and dsse 0.0.1), its
signed checkpoints (transparency-dev/formats, log), and sigstore/protobuf-specs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.unit.artifacts.signing.authority import UNUSED

if TYPE_CHECKING:
    from pathlib import Path

    Key = ec.EllipticCurvePrivateKey

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SIGNER, ISSUER = "release@acme.example", "https://login.acme.example"
_ISSUER_OID = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_SCT_OID = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_SHA256, _ECDSA = 4, 3
_LOG = "https://log.acme.example"


def _key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def _der(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _id(key: Key) -> bytes:
    return hashlib.sha256(_der(key)).digest()


def _sign(key: Key, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass
class Instance:
    """Everything that a Sigstore instance is, but its network."""

    authority: Key = field(default_factory=_key)
    certificates: Key = field(default_factory=_key)
    """The key of the log of certificates."""
    log: Key = field(default_factory=_key)

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme sigstore")])
        self.root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.authority.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=100))
            .not_valid_after(NOW + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=False, key_cert_sign=True, **UNUSED), critical=True
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key()),
                critical=False,
            )
            .sign(self.authority, hashes.SHA256())
        )

    def write_root(self, folder: Path) -> Path:
        """Write the trusted root and return its path."""
        since = {"start": (NOW - timedelta(days=100)).isoformat().replace("+00:00", "Z")}
        path = folder / "trusted_root.json"
        root = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self._log("https://log.acme.example", self.log, since)],
            "ctlogs": [self._log("https://ct.acme.example", self.certificates, since)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "acme", "commonName": "acme sigstore"},
                    "uri": "https://ca.acme.example",
                    "certChain": {
                        "certificates": [{"rawBytes": _text(self.root.public_bytes(Encoding.DER))}]
                    },
                    "validFor": since,
                }
            ],
        }
        path.write_text(json.dumps(root))
        return path

    def _log(self, url: str, key: Key, since: dict[str, str]) -> dict[str, Any]:
        return {
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": _text(_der(key)),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": since,
            },
            "logId": {"keyId": _text(_id(key))},
        }

    def bundle(
        self,
        data: bytes,
        *,
        identity: str = SIGNER,
        issuer: str = ISSUER,
        at: datetime = NOW,
        attested: bool = False,
    ) -> dict[str, Any]:
        """Sign as this identity; `at` is when the log took it, `attested` an in-toto statement
        in place of a plain signature."""
        key = _key()
        certificate = self._certify(key, identity, issuer)
        content, kind, spec = (_attest if attested else _plain)(data, key, certificate)
        body = json.dumps(
            {"apiVersion": "0.0.1", "kind": kind, "spec": spec},
            separators=(",", ":"),
            sort_keys=True,
        ).encode()
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": _text(certificate.public_bytes(Encoding.DER))},
                "tlogEntries": [self._entry(body, kind, int(at.timestamp()))],
            },
            **content,
        }

    def _certify(self, key: Key, identity: str, issuer: str) -> x509.Certificate:
        """Issue a certificate for ten minutes, with the promise of the certificates' log."""
        bare = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(minutes=1))
            .not_valid_after(NOW + timedelta(minutes=9))
            .add_extension(
                x509.KeyUsage(digital_signature=True, key_cert_sign=False, **UNUSED), critical=True
            )
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(identity)]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_OID, issuer.encode()), critical=False)
        )
        promise = self._promise(bare.sign(self.authority, hashes.SHA256()))
        listed = struct.pack("!HH", len(promise) + 2, len(promise)) + promise
        length = [len(listed)] if len(listed) < 128 else [0x81, len(listed)]
        octets = bytes([0x04, *length]) + listed  # DER OCTET STRING
        return bare.add_extension(
            x509.UnrecognizedExtension(_SCT_OID, octets), critical=False
        ).sign(self.authority, hashes.SHA256())

    def _promise(self, certificate: x509.Certificate) -> bytes:
        """Return the signed certificate timestamp (RFC 6962, section 3.2)."""
        body, at = certificate.tbs_certificate_bytes, int(NOW.timestamp() * 1000)
        signed = struct.pack("!BBQH", 0, 0, at, 1) + _id(self.authority)
        signed += len(body).to_bytes(3, "big") + body + struct.pack("!H", 0)
        signature = _sign(self.certificates, signed)
        head = struct.pack("!B32sQH", 0, _id(self.certificates), at, 0)
        return head + struct.pack("!BBH", _SHA256, _ECDSA, len(signature)) + signature

    def _entry(self, body: bytes, kind: str, at: int) -> dict[str, Any]:
        """Return what the log says of an entry: the only one but one."""
        other = hashlib.sha256(b"\0another entry").digest()
        leaf = hashlib.sha256(b"\0" + body).digest()
        root = hashlib.sha256(b"\x01" + other + leaf).digest()
        note = f"{_LOG}\n2\n{_text(root)}\n"
        signature = _text(_id(self.log)[:4] + _sign(self.log, note.encode()))
        promised = {
            "body": _text(body),
            "integratedTime": at,
            "logID": _id(self.log).hex(),
            "logIndex": 1,
        }
        canonical = json.dumps(promised, separators=(",", ":"), sort_keys=True).encode()
        return {
            "logIndex": "1",
            "logId": {"keyId": _text(_id(self.log))},
            "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": str(at),
            "inclusionPromise": {"signedEntryTimestamp": _text(_sign(self.log, canonical))},
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": _text(root),
                "treeSize": "2",
                "hashes": [_text(other)],
                "checkpoint": {"envelope": f"{note}\n\u2014 {_LOG} {signature}\n"},
            },
            "canonicalizedBody": _text(body),
        }


def _plain(
    data: bytes, key: Key, certificate: x509.Certificate
) -> tuple[dict[str, Any], str, dict[str, Any]]:
    digest, signature = hashlib.sha256(data).digest(), _text(_sign(key, data))
    content = {
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": _text(digest)},
            "signature": signature,
        }
    }
    pem = _text(certificate.public_bytes(Encoding.PEM))
    spec = {
        "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
        "signature": {"content": signature, "publicKey": {"content": pem}},
    }
    return content, "hashedrekord", spec


def _attest(
    data: bytes, key: Key, certificate: x509.Certificate
) -> tuple[dict[str, Any], str, dict[str, Any]]:
    kind = "application/vnd.in-toto+json"
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "plugin", "digest": {"sha256": hashlib.sha256(data).hexdigest()}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {},
    }
    payload = json.dumps(statement).encode()
    signature = _text(
        _sign(key, b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload))
    )
    envelope = {"payload": _text(payload), "payloadType": kind, "signatures": [{"sig": signature}]}
    pem = _text(certificate.public_bytes(Encoding.PEM))
    spec = {
        "envelopeHash": {
            "algorithm": "sha256",
            "value": hashlib.sha256(json.dumps(envelope).encode()).hexdigest(),
        },
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": [{"signature": signature, "verifier": pem}],
    }
    return {"dsseEnvelope": envelope}, "dsse", spec
