import asyncio

from plugbay_mcp_console_logger import Config, ConsoleLogger

from plugbay.sdk import Block
from plugbay.sdk.testing import McpTalk, run_plugin


def lines(work, **config):
    async def main():
        async with run_plugin(ConsoleLogger, Config(**config)) as plugin:
            work(plugin.plugin, plugin.host)
            return [record.getMessage() for record in plugin.host.records]

    return asyncio.run(main())


def test_a_line_for_each_message():
    def work(plugin, host):
        talk = McpTalk()
        call = talk.call("echo", password="hunter2")  # noqa: S106 -- to be looked for in the log
        plugin.on_message(call)
        host.clock.advance(0.25)
        answer = talk.response(call, content=[])
        answer.blocked = Block("no")
        plugin.on_message(answer)
        plugin.on_exit(talk.session, 3)

    asked, answered, ended = lines(work)
    assert asked.startswith("--> request tools/call echo #1 ")
    assert "hunter2" not in asked
    assert "250.0 ms BLOCKED 40301: no" in answered
    assert "ended with 3" in ended


def test_content_on_request():
    (line,) = lines(lambda plugin, _: plugin.on_message(McpTalk().request("ping")), content=20)
    assert '{"jsonrpc":"2.0","id' in line
