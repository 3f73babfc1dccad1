"""What settings may say of servers and federations."""

from __future__ import annotations

from plugbay.mcp.serving import FederationSpec, McpSpec, MemberSpec, ServerSpec, problems_of


def test_what_the_settings_may_not_say():
    server = ServerSpec(name="a", command="x")
    spec = McpSpec(
        servers=(server, server, ServerSpec(name="A b", command="", crashes=0, max_sessions=0)),
        federations=(
            FederationSpec(name="up", members=()),
            FederationSpec(
                name="f",
                members=(
                    MemberSpec(server="a"),
                    MemberSpec(server="a"),
                    MemberSpec(server="b"),
                    MemberSpec(url="ftp://x", prefix="u"),
                    MemberSpec(prefix="n"),
                    MemberSpec(server="a", prefix="x__y"),
                ),
            ),
        ),
    )
    found = [(problem.pointer, problem.detail) for problem in problems_of(spec, ["up"])]
    assert found == [
        ("/mcp/servers/1/name", "the name is used twice"),
        ("/mcp/servers/2/name", "no name"),
        ("/mcp/servers/2/max_sessions", "a limit is more than 0"),
        ("/mcp/federations/0/name", "the name is used twice"),
        ("/mcp/servers/2/command", "there is no command"),
        ("/mcp/servers/2/crashes", "a limit is more than 0"),
        ("/mcp/federations/0/members", "a federation needs at least one member"),
        (
            "/mcp/federations/1/members/1/prefix",
            "two members have the same prefix: their tools could not be told apart",
        ),
        ("/mcp/federations/1/members/2/server", "no such server"),
        ("/mcp/federations/1/members/3/url", "not a URL"),
        ("/mcp/federations/1/members/4", "it needs either server or url"),
        ("/mcp/federations/1/members/5/prefix", "no prefix"),
    ]
