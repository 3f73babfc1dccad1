"""Header fields that end at a hop, or that only the gateway may set (RFC 9110, 7.6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.soundness.client import ask, get, request

if TYPE_CHECKING:
    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Upstream

pytestmark = pytest.mark.live


def seen(body: bytes) -> dict[str, list[str]]:
    """The header fields that the upstream saw."""
    fields: dict[str, list[str]] = {}
    for name, value in json.loads(body)["headers"]:
        fields.setdefault(name, []).append(value)
    return fields


def test_fields_of_the_connection_are_not_forwarded(gateway: Gateway, upstream: Upstream) -> None:
    found = ask(
        gateway.port,
        get(
            b"/h",
            b"connection: x-secret, close ,X-Other",
            b"x-secret: 1",
            b"x-other: 2",
            b"x-kept: 3",
            b"keep-alive: timeout=5",
            b"proxy-connection: keep-alive",
            b"proxy-authorization: Basic eDp5",
            b"te: trailers, deflate",
            b"upgrade: h2c",
        ),
    )
    assert found is not None
    fields = seen(found.body)
    assert fields["x-kept"] == ["3"]
    for name in ("x-secret", "x-other", "keep-alive", "proxy-connection", "upgrade"):
        assert name not in fields, name
    assert fields.get("te", ["trailers"]) == ["trailers"]
    assert "close" not in fields.get("connection", [""])[0]
    assert "proxy-authorization" not in fields


def test_connection_cannot_take_away_what_the_gateway_adds(
    gateway: Gateway, upstream: Upstream
) -> None:
    named = b"connection: close, x-forwarded-for, forwarded, x-real-ip, host, content-length"
    found = ask(gateway.port, request(b"POST", b"/h", named, b"content-length: 2", body=b"ab"))
    assert found is not None
    fields = seen(found.body)
    assert fields["x-forwarded-for"] == ["127.0.0.1"]
    assert fields["forwarded"][0].startswith("for=127.0.0.1;")
    assert fields["x-real-ip"] == ["127.0.0.1"]
    assert fields["host"] == ["a.test"]
    assert json.loads(found.body)["body"] == "ab"


def test_a_stranger_cannot_say_who_he_is(gateway: Gateway, upstream: Upstream) -> None:
    found = ask(
        gateway.port,
        get(b"/h", b"x-forwarded-for: 6.6.6.6", b"forwarded: for=6.6.6.6", b"x_real_ip: 6.6.6.6"),
    )
    assert found is not None
    assert b"6.6.6.6" not in found.body


def test_space_around_values_is_no_part_of_them(gateway: Gateway, upstream: Upstream) -> None:
    found = ask(gateway.port, get(b"/h", b"x-a: \t one  two \t ", b"x-b:three"))
    assert found is not None
    assert seen(found.body)["x-a"] == ["one  two"]
    assert seen(found.body)["x-b"] == ["three"]


def test_fields_of_the_upstream_connection_are_not_passed_on(
    gateway: Gateway, upstream: Upstream
) -> None:
    upstream.reply(
        b"/hop",
        b"HTTP/1.1 200 OK\r\nconnection: x-secret\r\nx-secret: 1\r\nkeep-alive: timeout=9\r\n"
        b"proxy-authenticate: Basic\r\nupgrade: h2c\r\nx-kept: 1\r\ncontent-length: 2\r\n\r\nok",
    )
    found = ask(gateway.port, get(b"/hop"))
    assert found is not None
    names = {name for name, _ in found.headers}
    assert b"x-kept" in names
    assert not names & {b"x-secret", b"keep-alive", b"proxy-authenticate", b"upgrade"}
