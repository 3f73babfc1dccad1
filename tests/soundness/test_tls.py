"""TLS on both sides: a plain gateway in front of one that speaks TLS, in front of the upstream."""

from __future__ import annotations

import json
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
from tests.soundness.client import Client, ask, connected, get, request
from tests.soundness.gateway import plain, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Upstream

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def inner(recording: Upstream, pem: tuple[Path, Path]) -> Iterator[Gateway]:
    tls = [{"chain": str(pem[0]), "key": str(pem[1])}]
    with serving(tls=tls, **plain(recording.address)) as gateway:
        yield gateway


def outer(inner: Gateway, **tls: object) -> dict[str, object]:
    return plain(f"127.0.0.1:{inner.port}", tls=tls)


def secure(port: int, pem: tuple[Path, Path]) -> Client:
    client = Client(port)
    context = ssl.create_default_context(cafile=str(pem[0]))
    client.sock = context.wrap_socket(client.sock, server_hostname="inner.test")
    return client


def test_requests_over_tls(inner: Gateway, upstream: Upstream, pem: tuple[Path, Path]) -> None:
    client = secure(inner.port, pem)
    body = bytes(range(256)) * 4096
    client.send(b"".join(get(b"/%d" % n) for n in range(20)))
    client.send(request(b"POST", b"/big", b"content-length: %d" % len(body), body=body))
    for number in range(20):
        found = client.answer()
        assert found is not None
        seen = json.loads(found.body)
        assert seen["target"] == f"/{number}"
        assert ["x-forwarded-proto", "https"] in seen["headers"]
    found = client.answer()
    assert found is not None
    assert upstream.requests[-1].body == body
    client.close()
    inner.settle()


def test_plain_http_to_a_tls_port_is_no_request(inner: Gateway, upstream: Upstream) -> None:
    with connected(inner.port) as client:
        client.send(get(b"/plain"))
        while client.receive():
            pass
    assert upstream.requests == []
    inner.settle()


def test_a_handshake_that_never_ends_is_ended(recording: Upstream, pem: tuple[Path, Path]) -> None:
    tls = [{"chain": str(pem[0]), "key": str(pem[1])}]
    limits = {"head_timeout": 0.3, "idle_timeout": 0.5}
    settings = plain(recording.address)
    with (
        serving(tls=tls, limits=limits, tick=0.05, **settings) as gateway,
        connected(gateway.port) as client,
    ):
        client.send(b"\x16\x03\x01")
        assert client.ended()


def test_an_upstream_over_tls(inner: Gateway, upstream: Upstream, pem: tuple[Path, Path]) -> None:
    settings = outer(inner, ca=str(pem[0]), server_name="inner.test")
    with serving(**settings) as gateway:
        for _ in range(3):
            found = ask(gateway.port, request(b"POST", b"/x", b"content-length: 2", body=b"ok"))
            assert found is not None
            assert found.status == 200
            assert json.loads(found.body)["body"] == "ok"
    assert len(upstream.requests) == 3


@pytest.mark.parametrize("tls", [{}, {"ca": "own", "server_name": "other.test"}])
def test_an_upstream_that_cannot_prove_itself_gets_nothing(
    inner: Gateway, upstream: Upstream, pem: tuple[Path, Path], tls: dict[str, str]
) -> None:
    tls = {**tls, "ca": str(pem[0])} if tls else {"server_name": "inner.test"}
    with serving(**outer(inner, **tls)) as gateway:
        found = ask(gateway.port, get(b"/secret"))
        assert found is not None
        assert found.status == 502
    assert upstream.requests == []


def test_a_truncated_tls_stream_is_no_whole_answer(
    upstream: Upstream, inner: Gateway, pem: tuple[Path, Path]
) -> None:
    client = secure(inner.port, pem)
    client.send(request(b"POST", b"/cut", b"content-length: 100", body=b"half"))
    # The TCP connection goes without TLS's own farewell, as an attacker could make it.
    raw = socket.socket(fileno=client.sock.detach())
    raw.close()
    inner.settle()
    assert b"/cut" not in [r.target for r in upstream.requests]
