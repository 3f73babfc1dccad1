"""What a Go plugin does to requests and responses, both legs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from plugbay.runtimes.goso._call import PluginFailed
from plugbay.sdk import Response, Timing
from plugbay.sdk.testing import FakeHost
from unit.runtimes.goso.running import FILTERS, exchange, make_request, running, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.runtimes.goso import GosoInstance

    Scenario = Callable[[GosoInstance], Awaitable[None]]

pytestmark = pytest.mark.timeout(600)  # the first run builds the plugins


def run(scenario: Scenario, **how: object) -> None:
    async def whole() -> None:
        async with running({"stamp": "s1"}, **how) as instance:  # type: ignore[arg-type]
            await scenario(instance)

    asyncio.run(whole())


def test_fields_change_on_both_legs() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        response = Response(200, {"set-cookie": "a=1", "x-gone": "1", "content-length": "11"}, None)
        seen = await exchange(plugin, "GET", "/x?a=1", response=response, **{"x-remove": "1"})
        assert seen.answer is None
        assert seen.request.target == b"/x?a=1"
        assert dict(seen.request.headers) == {
            "host": "api.example",
            "accept": "*/*",
            "x-count": "1",
        }
        assert seen.header("x-stamp") == "s1"
        assert response.headers.get_all("set-cookie") == ["a=1", "go=1"]
        assert "x-gone" not in response.headers
        assert response.headers["content-length"] == "11"
        assert seen.body == b"hello world"
        again = await exchange(plugin, "GET", "/")
        assert again.request.headers["x-count"] == "2"

    run(scenario)


def test_it_may_answer_itself() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        claimed = {"x-forwarded-for": "198.51.100.1", "x-real-ip": "198.51.100.2"}
        seen = await exchange(plugin, "GET", "/answer", **claimed)
        assert (seen.status, seen.body) == (418, b"answered 192.0.2.7")
        assert seen.header("x-from") == "go"
        seen = await exchange(plugin, "POST", "/refuse", b"never read")
        assert (seen.status, seen.body) == (403, b'{"message":"not you"}\n')

    run(scenario)
    run(scenario, provides=("request-filter",))


def test_it_may_stream_its_answer() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        seen = await exchange(plugin, "GET", "/stream")
        assert seen.body == b"part 0\npart 1\npart 2\n"
        assert len(seen.chunks) == 3
        seen = await exchange(plugin, "GET", "/large")
        assert seen.body == bytes(4 << 20)

    run(scenario)
    run(scenario, provides=("request-filter",))


def test_it_may_rewrite_the_request_line() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        request = (await exchange(plugin, "GET", "/rewrite?x=1")).request
        assert (request.method, request.target) == ("PUT", b"/rewritten?a=1")
        assert request.authority == request.headers["host"] == "other.example"

    run(scenario)


def test_a_target_that_go_writes_otherwise_stays_as_it_is() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        for target in ("/a%2Fb/%7e?x=%20&y=a|b", "/%zz", "/a|b", "*"):
            seen = await exchange(plugin, "GET", target)
            assert seen.request.target == target.encode()

    run(scenario)


def test_the_response_may_be_replaced_after_next() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        seen = await exchange(plugin, "GET", "/instead")
        assert (seen.status, seen.body) == (502, b'{"was":200}\n')

    run(scenario, provides=FILTERS)


def test_what_is_registered_before_the_response_runs() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        assert (await exchange(plugin, "GET", "/before")).header("x-before") == "ran"

    run(scenario, provides=FILTERS)


def test_a_request_body_is_read_only_if_the_plugin_asks_for_it() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        seen = await exchange(plugin, "POST", "/sum", b"x" * 3_000_001)
        assert seen.body == b"3000001"
        seen = await exchange(plugin, "POST", "/read", b"y" * 500_000)
        assert seen.request.headers["x-length"] == "500000"
        assert seen.forwarded == b"y" * 500_000
        seen = await exchange(plugin, "GET", "/sum")
        assert seen.body == b"0"

    run(scenario)


def test_a_body_that_is_too_large_to_buffer_is_an_error_for_the_plugin() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        with pytest.raises(PluginFailed, match="before it was complete"):
            await exchange(plugin, "POST", "/sum", bytes((16 << 20) + 1))

    run(scenario)


def test_a_request_body_may_be_replaced_as_it_streams() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        body = b"abc" * 400_000
        seen = await exchange(plugin, "POST", "/body", body)
        assert seen.forwarded == body.upper()

    run(scenario)


@pytest.mark.parametrize(("path", "field"), [("/upper", "x-upper"), ("/late", "x-length")])
def test_a_response_body_may_pass_through_a_writer(path: str, field: str) -> None:
    async def scenario(plugin: GosoInstance) -> None:
        upstream = [b"abc" * 100_000] * 4
        seen = await exchange(plugin, "GET", path, upstream=upstream)
        assert seen.body == b"".join(upstream).upper()
        assert seen.header(field) == {"/upper": "now", "/late": "1200000"}[path]
        assert seen.status == {"/upper": 200, "/late": 201}[path]
        empty = await exchange(plugin, "HEAD", path)
        assert (empty.body, empty.status) == (b"", seen.status)

    run(scenario)


@pytest.mark.parametrize("path", ["/upper", "/body"])
def test_bodies_are_not_replaced_unless_that_was_declared(path: str) -> None:
    async def scenario(plugin: GosoInstance) -> None:
        with pytest.raises(PluginFailed, match="declare `body-filter`"):
            await exchange(plugin, "POST", path, b"body")

    run(scenario, provides=FILTERS)


def test_errors_and_panics_fail_the_hook_and_nothing_else() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        pid = plugin.keeper.pid
        with pytest.raises(PluginFailed, match="it does not work"):
            await exchange(plugin, "GET", "/error")
        with pytest.raises(PluginFailed, match="panic: Handle was told to panic"):
            await exchange(plugin, "GET", "/panic")
        with pytest.raises(PluginFailed, match="a second time"):
            await exchange(plugin, "GET", "/twice")
        assert (await exchange(plugin, "GET", "/answer")).status == 418
        assert plugin.keeper.pid == pid

    run(scenario)


def test_a_line_break_in_a_field_becomes_a_space() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        assert (await exchange(plugin, "GET", "/break")).header("x-bad") == "a  X-Injected: yes"

    run(scenario)


def test_a_call_ends_when_its_exchange_does() -> None:
    async def scenario(plugin: GosoInstance) -> None:
        on_request = plugin.hooks["on_request"].call
        hanging = asyncio.ensure_future(on_request(make_request("GET", "/hang", **{"x-mark": "1"})))
        await until(lambda: plugin.keeper.connection().calls == 1)
        hanging.cancel()
        await asyncio.wait((hanging,))
        waiting = make_request("GET", "/waits", **{"x-mark": "2"})
        assert await on_request(waiting) is None
        plugin.hooks["on_complete"].call(waiting, None, Timing(0, 0, 0, 0, 0, "client-gone"))
        wanted = {"cancelled 1", "next gave the exchange ended early for 2"}
        await until(lambda: wanted <= set(host.messages))
        assert plugin.keeper.connection().calls == 0

    host = FakeHost("gopher", "1.0.0", 1)
    run(scenario, host=host)
