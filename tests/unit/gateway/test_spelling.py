"""Paths that can be read in two ways."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugbay.gateway import RouteSpec
from plugbay.gateway.message._paths import normal_target
from plugbay.gateway.message._spelling import spelling
from plugbay.sdk import Order
from unit.gateway.core.rig import RawUpstream, generation, member, rig

if TYPE_CHECKING:
    from plugbay.sdk import Request

_PIECES = st.sampled_from(
    [b"/", b"a", b"%2F", b"%2f", b".", b"..", b"%2e", b"%61", b"%20", b";x", b"?", b"%5C", b"%00"]
)


@pytest.mark.parametrize(
    ("target", "kept", "decoded", "doubled"),
    [
        (b"/a%2fb?x=%2f", b"/a%2Fb?x=%2f", b"/a/b?x=%2f", b"/a/b?x=%2f"),
        (b"/a//b/", b"/a/b/", b"/a/b/", b"/a//b/"),
        (b"/%2F%61", b"/%2Fa", b"/a", b"//a"),
        (b"//a%2F%2Fb", b"/a%2F%2Fb", b"/a/b", b"//a//b"),
    ],
)
def test_a_route_says_what_is_sent(
    target: bytes, kept: bytes, decoded: bytes, doubled: bytes
) -> None:
    found = spelling(target)
    assert found is not None
    assert found.strict == decoded
    wishes: tuple[dict[str, Any], ...] = (
        {"escaped_slashes": "keep"},
        {"escaped_slashes": "decode"},
        {"escaped_slashes": "decode", "merge_slashes": False},
    )
    assert [found.wanted(RouteSpec(name="r", **wish)) for wish in wishes] == [
        kept,
        decoded,
        doubled,
    ]
    assert (found.wanted(RouteSpec(name="r")) is None) == found.escaped


@pytest.mark.parametrize(
    "target",
    [
        b"/a",
        b"/a%20b",
        b"/a?//%2F",
        b"/a%2F..%2Fb",
        b"/a%2F%2e%2e",
        b"/a/../b%2Fc",
        b"/a//../b",
        b"/a%2F..;x/b",
        b"/a%2Fb%5Cc",
        b"/a%2Fb%00",
        b"/a%2Fb%",
        b"/a%2Fb#c",
        b"/a%252Fb",
    ],
)
def test_what_has_one_reading_or_too_many_has_no_spelling(target: bytes) -> None:
    assert spelling(target) is None


@given(st.lists(_PIECES, max_size=12).map(lambda pieces: b"/" + b"".join(pieces)))
def test_the_strict_reading_is_normal_whatever_was_escaped(target: bytes) -> None:
    """What routes are matched with is a fixed point of the reading that all requests have."""
    found = spelling(target)
    if found is None:
        return
    assert normal_target(found.strict) == found.strict
    if not found.escaped:
        assert normal_target(target) == found.strict


GUARDED = [
    RouteSpec(name="admin", upstream="u", path="/admin"),
    RouteSpec(
        name="files", upstream="u", path="/files", escaped_slashes="keep", merge_slashes=False
    ),
    RouteSpec(name="rest", upstream="u", escaped_slashes="decode"),
]


@pytest.mark.parametrize(
    ("target", "route", "sent"),
    [
        ("/files/a%2Fb//c", "files", b"/files/a%2Fb//c"),
        ("/files/a", "files", b"/files/a"),
        ("/x%2fy//z", "rest", b"/x/y/z"),
        ("//x", "rest", b"/x"),
        ("/admin//x", "admin", b"/admin/x"),
        ("/admin%2Fx", "", b""),  # it lies under a route that wants none
        ("/%2Fadmin", "", b""),
        ("/files%2Fa", "", b""),  # as it is sent it lies elsewhere
        ("//files/a", "", b""),
        ("/files/..%2Fadmin", "", b""),
    ],
)
def test_a_path_must_lie_under_its_route_in_both_readings(
    target: str, route: str, sent: bytes
) -> None:
    seen: list[tuple[str, bytes]] = []

    def on_request(request: Request) -> None:
        seen.append((request.route, request.target))

    async def main() -> None:
        hooked = [member(generation("p", on_request=on_request))]
        async with RawUpstream().running() as up, rig(up.address, members=hooked) as gate:
            (pool,) = gate.pools.pools
            gate.plane.install(gate.table(GUARDED, [pool.spec], hooked))
            client = await gate.connect()
            status, _, _ = await client.get(target)
            assert status == (200 if sent else 400)
            assert seen == ([(route, sent)] if sent else [])
            assert [head.split(b" ")[1] for head in up.heads] == ([sent] if sent else [])

    asyncio.run(main())


def test_where_no_route_takes_escaped_slashes_they_are_refused_before_any_plugin() -> None:
    seen: list[str] = []

    def on_request(request: Request) -> None:
        seen.append(request.path)

    async def main() -> None:
        early = [member(generation("p", on_request=on_request), order=Order(phase="pre-routing"))]
        async with RawUpstream().running() as up, rig(up.address, members=early) as gate:
            client = await gate.connect()
            assert (await client.get("/a%2Fb"))[0] == 400
            client = await gate.connect()
            assert (await client.get("/a//b"))[0] == 200
            assert seen == ["/a/b"]

    asyncio.run(main())
