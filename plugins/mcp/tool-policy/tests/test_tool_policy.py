import asyncio

from plugbay_mcp_tool_policy import Config, Rule, ToolPolicy

from plugbay.sdk.testing import McpTalk, run_plugin

RULES = (
    Rule("ann", tools=("git_*", "read"), deny=("git_push",), resources=()),
    Rule("bob"),
    Rule("c*", prompts=("hello",)),
)


def ask(work, **config):
    async def main():
        async with run_plugin(ToolPolicy, Config(rules=RULES, **config)) as plugin:
            return work(plugin.plugin)

    return asyncio.run(main())


def names(message):
    return [item.get("name") or item["uri"] for item in message.items]


def test_lists_hold_what_may_be_used_and_are_private():
    def work(plugin):
        talk = McpTalk(identity="ann")
        listing = talk.listing("git_log", "git_push", "read", "exec", cacheScope="public")
        changed = plugin.on_list(listing)
        assert names(changed) == ["git_log", "read"]
        assert changed.result["cacheScope"] == "private"
        assert names(plugin.on_list(talk.listing("test://a", method="resources/list"))) == []
        assert plugin.on_list(McpTalk(identity="bob").listing("exec")) is None
        assert names(plugin.on_list(McpTalk(identity="eve").listing("read"))) == []

    ask(work)


def test_calls_are_refused_and_not_only_hidden():
    def work(plugin):
        talk = McpTalk(identity="ann")
        assert plugin.on_message(talk.call("git_log")) is None
        assert plugin.on_message(talk.call("git_push")).code == -32602
        assert plugin.on_message(talk.request("resources/read", uri="test://a")).code == 40301
        assert plugin.on_message(talk.request("resources/subscribe", uri="test://a")).code == 40301
        assert plugin.on_message(talk.request("tools/list")) is None
        assert plugin.on_message(talk.request("ping")) is None
        assert (
            plugin.on_message(McpTalk(identity="cy").request("prompts/get", name="x")) is not None
        )
        assert (
            plugin.on_message(McpTalk(identity="cy").request("prompts/get", name="hello")) is None
        )
        assert plugin.on_message(McpTalk(identity="eve").call("read")) is not None

    ask(work)


def test_a_reason_instead_of_silence():
    def work(plugin):
        block = plugin.on_message(McpTalk(identity="ann").call("exec"))
        assert block.violation == "tool-not-allowed"
        assert "exec" in block.reason

    ask(work, hide=False)
