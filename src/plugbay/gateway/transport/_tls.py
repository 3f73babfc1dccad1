"""TLS on both sides, by the standard library.

A listener may have several certificates: the one whose names fit the client's SNI (RFC 6066,
section 3) is shown, else the first. They are read again when their files change, and a pair that
cannot be loaded leaves the old one in service.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from plugbay.gateway._spec import Tls

_ALPN = ["http/1.1"]
_ALPN_WITH_HTTP2 = ["h2", "http/1.1"]
# Forward secrecy and authenticated encryption only; TLS 1.3 has its own list (RFC 9325, 4.2).
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL:!MD5:!DSS"
_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which the standard library does not name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The PEM files of a chain (the leaf first) and of its key."""

    chain: Path
    key: Path


class ServerTls:
    """The listener's side. `context` stays the same object over all reloads.

    With `http2` the client is offered HTTP/2 (ALPN, RFC 7301) before HTTP/1.1.

    Raises `Invalid` if a certificate cannot be loaded, or there is none.
    """

    def __init__(self, certificates: Sequence[Certificate], *, http2: bool = False) -> None:
        if not certificates:
            raise Invalid("a TLS listener needs at least one certificate")
        self._certificates = tuple(certificates)
        self._alpn = _ALPN_WITH_HTTP2 if http2 else _ALPN
        self._stamps = self._stat()
        self._pairs = self._load_all()
        # This context is what the listener keeps; each handshake moves on to the one that fits.
        self.context = _load(self._certificates[0])
        self.context.set_alpn_protocols(self._alpn)
        self.context.sni_callback = self._choose

    def reload(self) -> bool:
        """Load the files again if one has changed; True if the new ones are in service.

        Raises `Invalid` if they cannot be loaded; then the old ones stay, and the next change of
        a file is the next try.
        """
        stamps = self._stat()
        if stamps == self._stamps:
            return False
        self._stamps = stamps
        self._pairs = self._load_all()
        return True

    async def watch(self, interval: float, on_failure: Callable[[Invalid], None]) -> None:
        """Reload for ever, looking every `interval` seconds; for a task of the caller's."""
        while True:
            await asyncio.sleep(interval)
            try:
                self.reload()
            except Invalid as problem:
                on_failure(problem)

    def _choose(
        self, handshake: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext
    ) -> None:
        handshake.context = self._best(name.lower() if name else "")

    def _best(self, name: str) -> ssl.SSLContext:
        for wanted in (name, "*." + name.partition(".")[2]):
            for context, names in self._pairs:
                if wanted in names:
                    return context
        return self._pairs[0][0]

    def _load_all(self) -> list[tuple[ssl.SSLContext, frozenset[str]]]:
        pairs = [_pair(certificate) for certificate in self._certificates]
        for context, _ in pairs:
            context.set_alpn_protocols(self._alpn)
        return pairs

    def _stat(self) -> tuple[tuple[int, int, int], ...]:
        files = [path for each in self._certificates for path in (each.chain, each.key)]
        return tuple(_stamp(path) for path in files)


def client_context(tls: Tls) -> ssl.SSLContext:
    """Build the context for an upstream. `ca` is the path of a PEM file, or PEM text itself.

    Raises `Invalid` if `ca` cannot be loaded.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if not tls.ca:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context
    try:
        if "-----BEGIN" in tls.ca:
            context.load_verify_locations(cadata=tls.ca)
        else:
            context.load_verify_locations(cafile=tls.ca)
    except (OSError, ValueError) as error:
        raise Invalid(
            f"tls: the CA certificates cannot be loaded: {error}",
            problems=(Problem("/tls/ca", str(error), expected="a PEM file"),),
        ) from error
    return context


def _pair(certificate: Certificate) -> tuple[ssl.SSLContext, frozenset[str]]:
    context = _load(certificate)
    return context, _names(context, certificate.chain)


def _load(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    try:
        context.load_cert_chain(certificate.chain, certificate.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise Invalid(
            f"tls: {certificate.chain} with {certificate.key} cannot be loaded: {error}",
            problems=(Problem("/certificates", str(error), found=str(certificate.chain)),),
        ) from error
    return context


def _names(context: ssl.SSLContext, chain: Path) -> frozenset[str]:
    """Return the DNS names of the leaf.

    The standard library shows a certificate's names to a peer that verified it, and to nobody
    else: so a client in memory shakes hands with the context. It trusts the leaf as it stands, in
    or out of date: whether that is in order is for real clients to judge.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    trusting.load_verify_locations(chain)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(down, up)
    server = context.wrap_bio(up, down, server_side=True)
    for side in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    found = (client.getpeercert() or {}).get("subjectAltName", ())
    return frozenset(str(pair[1]).lower() for pair in found if pair[0] == "DNS")


def _no_password() -> str:
    """Stand in for the terminal, where OpenSSL would ask and a server would hang."""
    raise ValueError("the key is encrypted")


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(_ALPN)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced or rewritten; zeros while it is away."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size
