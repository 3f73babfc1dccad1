"""AutoMTLS with a real plugin: what goes over its socket is encrypted, and nobody else gets in."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import tempfile
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from plugbay.isolation import ProcessPolicy
from plugbay.kernel import LoadFailed
from plugbay.runtimes.process import ProcessRuntime
from plugbay.runtimes.process._mutual_tls import NAME, Identity
from plugbay.sdk import Headers, Request
from plugbay.sdk.testing import FakeHost

from .programs import ask, listener, pid_of, request_for, started, until

if TYPE_CHECKING:
    from pathlib import Path


def handshake(address: str, context: ssl.SSLContext) -> bytes:
    """Speak TLS with a plugin's socket, and return what it answers to a preface of HTTP/2."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(100)
        raw.connect(address)
        with context.wrap_socket(raw, server_hostname=NAME) as connection:
            connection.sendall(
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
            )
            return connection.recv(9)


def test_both_sides_prove_who_they_are(header_adder: Path) -> None:
    async def scenario() -> None:
        async with started(header_adder, auto_mtls=True) as plugin:
            assert plugin.relay is not None
            certificate = x509.load_der_x509_certificate(plugin.handshake.certificate)
            assert certificate.public_key().curve.name == "secp521r1"  # type: ignore[union-attr]  # go-plugin's
            await asyncio.gather(*(plugin.health() for _ in range(8)))
            address, known = plugin.handshake.address, plugin.handshake.certificate

            def plain() -> bytes:
                with socket.socket(socket.AF_UNIX) as raw:
                    raw.settimeout(100)
                    raw.connect(address)
                    raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                    return raw.recv(64)

            assert not (await asyncio.to_thread(plain)).startswith(b"\0\0")  # no frame of HTTP/2
            stranger = Identity.make().context(known)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.to_thread(handshake, address, stranger)
            other = Identity.make()
            liar = base64.b64decode("".join(other.certificate.decode().splitlines()[1:-1]))
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.to_thread(handshake, address, Identity.make().context(liar))

    asyncio.run(scenario())


def test_a_plugin_is_called_and_comes_back_encrypted(header_adder: Path) -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory(prefix="pb") as base:
            runtime = ProcessRuntime(base=base, policy=ProcessPolicy(auto_mtls=True))
            instance = await runtime.load(request_for(header_adder, id="header-adder"))
            await instance.start()
            try:
                for _ in range(2):
                    request = Request("GET", "/", headers=Headers.of({"host": "a"}))
                    assert await ask(instance, "on_request", request) is None
                    assert request.headers.get("x-added") == "1.0.0"
                    session = instance.keeper.current
                    assert session is not None
                    assert session.process.relay is not None  # type: ignore[attr-defined]  # of gRPC
                    gone = pid_of(instance)
                    session.process.child.signal(9)
                    await until(lambda g=gone: instance.keeper.current and pid_of(instance) != g)
            finally:
                await instance.stop()

    asyncio.run(scenario())


def test_one_that_cannot_is_called_without_and_that_is_said(tmp_path: Path) -> None:
    async def scenario() -> None:
        host = FakeHost("subject", "1.0.0")
        program = listener(tmp_path, "grpc|", "bound.close()")
        runtime = ProcessRuntime(policy=ProcessPolicy(auto_mtls=True))
        with pytest.raises(LoadFailed, match="cannot be called"):
            await runtime.load(request_for(program, host))
        assert any("not encrypted" in line for line in host.messages)

    asyncio.run(scenario())


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    async def scenario() -> str:
        junk = base64.b64encode(b"no certificate " * 5).decode().rstrip("=")
        runtime = ProcessRuntime(policy=ProcessPolicy(auto_mtls=True))
        with pytest.raises(LoadFailed) as caught:
            await runtime.load(request_for(listener(tmp_path, f"grpc|{junk}")))
        return caught.value.detail

    assert "its connection cannot be encrypted" in asyncio.run(scenario())
