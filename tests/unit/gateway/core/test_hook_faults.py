"""Hooks that raise, are late, return nonsense, or cannot be called."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from unit.gateway.core.rig import RawUpstream, generation, member, rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.sdk import Request, Response


@pytest.mark.parametrize(("closed", "status"), [(True, 503), (False, 200)])
@pytest.mark.parametrize("coroutine", [False, True])
def test_a_raising_hook_follows_its_policy(closed: bool, status: int, coroutine: bool) -> None:
    async def main() -> None:
        def plain(request: Request) -> None:
            raise RuntimeError("broken")

        async def waited(request: Request) -> None:
            raise RuntimeError("broken")

        plugin = generation("p", on_request=waited if coroutine else plain)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin, closed=closed)]) as gate,
        ):
            client = await gate.connect()
            got, _, body = await client.get()
            assert got == status
            assert b"broken" not in body
            assert plugin.vitals.failures == 1
            assert plugin.vitals.last_error == "RuntimeError: broken"

    asyncio.run(main())


def test_a_plugin_that_exits_harms_only_itself() -> None:
    async def main() -> None:
        def on_request(request: Request) -> None:
            raise SystemExit(3)

        plugin = generation("p", on_request=on_request)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            assert (await client.get())[0] == 503

    asyncio.run(main())


def test_an_open_breaker_keeps_requests_from_the_hook() -> None:
    async def main() -> None:
        calls = 0

        def on_request(request: Request) -> None:
            nonlocal calls
            calls += 1
            raise RuntimeError("broken")

        plugin = generation("p", on_request=on_request)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin, closed=False)]) as gate,
        ):
            client = await gate.connect()
            for _ in range(20):
                assert (await client.get())[0] == 200
            assert calls == 5
            assert gate.meter.plugin("p", "1.0", "post-routing").skipped == 15

    asyncio.run(main())


def test_a_plugin_that_does_not_run_follows_its_policy() -> None:
    async def main() -> None:
        plugin = generation("p", on_request=lambda request: None)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            assert (await client.get())[0] == 200
            plugin.instance = None
            status, fields, body = await client.get()
            assert (status, fields[b"retry-after"]) == (503, b"1")
            assert b"plugin p cannot decide" in body

    asyncio.run(main())


def test_a_wrong_return_value_counts_as_a_failure() -> None:
    async def main() -> None:
        plugin = generation("p", on_request=lambda request: 42)
        late = generation("q", on_response=lambda request, response: "x")
        members = [member(plugin, closed=False), member(late)]
        async with RawUpstream().running() as up, rig(up.address, members=members) as gate:
            client = await gate.connect()
            assert (await client.get())[0] == 503
            assert plugin.vitals.failures == late.vitals.failures == 1

    asyncio.run(main())


def test_a_late_coroutine_is_ended() -> None:
    async def main() -> None:
        async def on_request(request: Request) -> None:
            await asyncio.Event().wait()

        plugin = generation("p", on_request=on_request)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin, limits_ms=30)]) as gate,
        ):
            client = await gate.connect()
            assert (await client.get())[0] == 503
            assert plugin.vitals.last_error.startswith("TimeoutError")

    asyncio.run(main())


def test_a_line_break_in_a_field_never_reaches_the_client() -> None:
    async def main() -> None:
        plugin = generation(
            "p", on_response=lambda q, p: p.headers.raw.append((b"x", b"1\r\nset-cookie: a=b"))
        )
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            status, fields, _ = await client.get()
            assert status == 500
            assert b"set-cookie" not in fields

    asyncio.run(main())


def test_a_line_break_in_a_field_never_reaches_the_upstream() -> None:
    async def main() -> None:
        plugin = generation("p", on_request=lambda q: q.headers.raw.append((b"x", b"1\r\ny: 2")))
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            assert (await client.get())[0] == 500
            assert up.heads == []

    asyncio.run(main())


@pytest.mark.parametrize("method", ["HEAD", "GET / HTTP/1.1\r\nx: y\r\n\r\nGET", "get"])
def test_a_method_that_would_change_the_framing_is_not_sent(method: str) -> None:
    async def main() -> None:
        plugin = generation("p", on_request=lambda request: setattr(request, "method", method))
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            assert (await client.get())[0] == 500
            assert up.heads == []

    asyncio.run(main())


def test_a_body_filter_that_fails_breaks_the_response() -> None:
    async def main() -> None:
        async def broken(
            request: Request, response: Response, chunks: AsyncIterator[bytes]
        ) -> AsyncIterator[bytes]:
            async for chunk in chunks:
                yield chunk
                raise RuntimeError("broken")

        plugin = generation("p", response_body=broken)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert not (await client.ended()).endswith(b"0\r\n\r\n")
            assert plugin.vitals.failures == 1

    asyncio.run(main())
