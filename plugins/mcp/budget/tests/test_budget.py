import asyncio

import pytest
from plugbay_mcp_budget import DAY, Budget, Config

from plugbay.sdk.testing import FakeHost, McpTalk, run_plugin


def spend(work, **config):
    async def main():
        async with run_plugin(Budget, Config(**config)) as plugin:
            work(plugin.plugin, plugin.host.clock)

    asyncio.run(main())


def test_a_bucket_for_each_identity_whatever_the_session():
    def work(plugin, clock):
        for _ in range(3):
            assert plugin.on_tool_call(McpTalk(identity="ann").call("a")) is None
        block = plugin.on_tool_call(McpTalk(identity="ann").call("b"))
        assert (block.code, block.violation) == (42901, "rate")
        assert block.retry_after == pytest.approx(10.0)
        assert plugin.on_tool_call(McpTalk(identity="bob").call("a")) is None
        clock.advance(10.0)
        assert plugin.on_tool_call(McpTalk(identity="ann").call("a")) is None
        assert plugin.on_tool_call(McpTalk(identity="ann").call("a")) is not None

    spend(work, calls=3, window=30.0)


def test_costs_end_a_day_s_budget():
    def work(plugin, clock):
        talk = McpTalk()
        for _ in range(3):
            assert plugin.on_tool_call(talk.call("search_web")) is None
        block = plugin.on_tool_call(talk.call("search_web"))
        assert block.violation == "budget"
        assert "0.1 is left" in block.reason
        assert plugin.on_tool_call(talk.call("echo")) is None
        clock.advance(DAY)
        assert plugin.on_tool_call(talk.call("search_web")) is None

    spend(work, calls=0, costs={"search*": 0.3}, budget=1.0)


def test_loops_are_noticed():
    def work(plugin, clock):
        talk = McpTalk()
        for _ in range(2):
            assert plugin.on_tool_call(talk.call("a", x=1, y=2)) is None
        assert plugin.on_tool_call(talk.call("a", y=2, x=1)).violation == "loop"
        assert plugin.on_tool_call(talk.call("a", x=2)) is None

    spend(work, identical=2)


def test_a_swap_hands_the_accounts_over():
    async def main():
        talk, host = McpTalk(), FakeHost()
        async with run_plugin(Budget, Config(calls=1), host=host) as old:
            assert old.plugin.on_tool_call(talk.call("a")) is None
            state = old.snapshot()
        async with run_plugin(Budget, Config(calls=1), state=state, host=host) as new:
            assert new.plugin.on_tool_call(talk.call("a")) is not None

    asyncio.run(main())


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="window"):
        spend(lambda plugin, clock: None, window=0.0)
