"""AutoMTLS of go-plugin: both sides prove who they are by certificates made for one process.

The host's certificate goes to the plugin in `PLUGIN_CLIENT_CERT`, the plugin's comes back as the
sixth field of its handshake (mtls.go and client.go there). It is always of the curve P-521, which
the TLS of gRPC for Python does not offer, so that of the standard library speaks it, in a relay.
"""

from __future__ import annotations

import datetime
import os
import ssl
from dataclasses import dataclass
from typing import Self

VARIABLE = "PLUGIN_CLIENT_CERT"
NAME = "localhost"
"""The name that go-plugin writes into its certificates, and expects."""
_LIFE = datetime.timedelta(days=365 * 30)
_SLACK = datetime.timedelta(seconds=30)
"""As go-plugin's own hosts do it: a certificate ends with its process, not by the clock."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate of ours, and its key, both as PEM. The key is never written to a disk."""

    certificate: bytes
    key: bytes

    @classmethod
    def make(cls) -> Self:
        """Make a fresh one, which takes about a millisecond."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        now = datetime.datetime.now(datetime.UTC)
        usage = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SLACK)
            .not_valid_after(now + _LIFE)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return cls(made.public_bytes(pem), key.private_bytes(pem, *plain))

    def context(self, peer: bytes) -> ssl.SSLContext:
        """Return a context that trusts the certificate `peer` (DER) and nobody else.

        Raises `ssl.SSLError` if that is none.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata=peer)
        context.set_alpn_protocols(["h2"])
        with open(os.memfd_create("identity"), "wb") as file:
            file.write(self.certificate + self.key)
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        return context
