import asyncio

import pytest
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
        assert plugin.on_message(talk.request("resources/subscribe", uri=None)).code == 40301
        assert plugin.on_message(talk.request("resources/subscribe")) is None
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


def test_other_ways_to_the_same_are_refused_too():
    def work(plugin):
        ann, cy = McpTalk(identity="ann"), McpTalk(identity="cy")
        told = ann.notification("tools/call", direction="to-server", name="git_push")
        assert plugin.on_message(told) is not None
        assert plugin.on_message(ann.request("tools/call", name=["git_log"])) is not None
        assert plugin.on_message(ann.request("tools/call")) is not None
        for name, refused in (("hello", False), ("secret", True)):
            ref = {"type": "ref/prompt", "name": name}
            block = plugin.on_message(cy.request("completion/complete", ref=ref))
            assert (block is not None) is refused
        ref = {"type": "ref/resource", "uri": "test://{a}"}
        assert plugin.on_message(ann.request("completion/complete", ref=ref)) is not None
        for wanted, refused in ({}, False), ({"resourceSubscriptions": ["test://a"]}, True):
            listen = ann.request("subscriptions/listen", notifications=wanted)
            assert (plugin.on_message(listen) is not None) is refused

    ask(work)


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("file:///srv/a", True),
        ("file:///srv/My%20Notes/b.txt", True),
        ("file:///srv/../etc/passwd", False),
        ("file:///srv/%2e%2e/etc/passwd", False),
        ("file:///srv/..%2f..%2fetc/passwd", False),
        ("file:///srv/..\\..\\etc", False),
        ("FILE:///srv/a", False),
        ("file:///srv/private/a", False),
        ("file:///srv/x/../private/a", False),
        ("file:///srv//private/a", False),
        ("file:///srv/%70rivate/a", False),
        ("note://Mine/a", True),
        ("note:a", True),
        ("file:/srv/a", False),
        ("/srv/a", False),
    ],
)
def test_a_uri_is_judged_as_a_server_may_read_it(uri, allowed):
    rule = Rule("*", resources=("file:///srv/*", "note:*"), deny=("file:///srv/private/*",))

    async def main():
        async with run_plugin(ToolPolicy, Config(rules=(rule,))) as plugin:
            read = McpTalk().request("resources/read", uri=uri)
            assert (plugin.plugin.on_message(read) is None) is allowed

    asyncio.run(main())
