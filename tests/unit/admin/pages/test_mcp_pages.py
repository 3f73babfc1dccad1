"""The MCP pages: what stands in a server's way, what is counted, and what only some may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.admin._services import NoMcpHost
from plugbay.mcp.serving import EndpointStatus
from plugbay.observability import McpRouteCollector, McpTotals, Registry

from .test_pages import person, text

if TYPE_CHECKING:
    from ..conftest import World

SERVER = {"name": "files", "command": "server", "env": {"KEY": "precious"}}
UNION = {"name": "work", "members": [{"server": "files"}, {"url": "http://x/mcp", "prefix": "far"}]}
ROUTES = [{"name": name, "path": f"/{name}", "mcp": name} for name in ("files", "work")]


def run(world: World, **status: EndpointStatus) -> None:
    """Have a server and a federation, which are so."""
    document = {"mcp": {"servers": [SERVER], "federations": [UNION]}, "routes": ROUTES}
    world.change("POST", "/apply", json=document)
    host = world.services.mcp
    assert isinstance(host, NoMcpHost)
    host.status = status


def test_the_list_says_what_stands_in_the_way(world: World) -> None:
    run(world)
    world.sign_in()
    assert "more in a moment" in text(world, "/admin/mcp")
    crashed = "it has ended with code 7"
    now = world.clock.time()
    run(
        world,
        files=EndpointStatus(state="restarting", error=crashed, retry_at=now + 5),
        work=EndpointStatus(state="degraded", down={"far": "nobody answers"}, sessions=3),
    )
    page = text(world, "/admin/mcp")
    for words in (f"{crashed}; tried again in 5 s", "far is down: nobody answers", "http://x/mcp"):
        assert words in page
    run(world, files=EndpointStatus(state="resting", error=crashed))
    assert f"{crashed}; it has crashed too often" in text(world, "/admin/mcp")
    assert "server-files" not in text(world, "/admin/mcp?q=nothing")
    assert "server-files" in text(world, "/admin/mcp?q=RESTING")
    assert text(world, "/admin/mcp/servers/edit/none", status=404)


def test_who_leads_to_a_server_is_said_and_a_route_is_offered(world: World) -> None:
    document = {"mcp": {"servers": [SERVER], "federations": [UNION]}}
    world.change("POST", "/apply", json=document)
    world.sign_in()
    page = text(world, "/admin/mcp")
    assert "as a member of work" in page
    assert "/admin/routes/new?mcp=work" in page
    assert 'value="/work"' in text(world, "/admin/routes/new?mcp=work")
    assert 'value="/none"' not in text(world, "/admin/routes/new?mcp=none")
    world.change("PUT", "/routes/lead", json={"name": "lead", "path": "/there", "mcp": "work"})
    assert "/there" in text(world, "/admin/mcp")
    page = text(world, "/admin/mcp/federations/edit/work")
    assert "routes=true" in page
    assert "Delete work and 1 route" in page


def test_one_server_is_shown_as_far_as_one_may_see(world: World) -> None:
    status = EndpointStatus(
        state="running",
        versions=("2026-07-28",),
        stateless=True,
        former=1,
        since=1.0,
        error="it has ended with code 7",
        error_at=1.0,
        stderr="key=precious",
        tools=("read<b>",),
    )
    run(world, files=status)
    world.sign_in()
    page = text(world, "/admin/mcp/servers/edit/files")
    for words in ("2026-07-28", "1 session with settings", "key=precious", "read&lt;b&gt;"):
        assert words in page
    assert 'data-call="POST /mcp/servers/files/restart"' in page
    assert "work <small>federation" in page
    assert "KEY=precious" in page
    person(world, "viewer")
    page = text(world, "/admin/mcp/servers/edit/files")
    assert "precious" not in page
    assert "/files/restart" not in page
    assert text(world, "/admin/mcp/servers/new", status=403)
    assert "far" in text(world, "/admin/mcp/federations/edit/work")


def test_who_may_not_see_a_server_s_words_does_not_in_the_api_either(world: World) -> None:
    run(world, files=EndpointStatus(stderr="key=precious"))
    assert world.ask("GET", "/mcp/servers/files").json()["status"]["stderr"] == "key=precious"
    reader = world.token("read")
    for path in ("/mcp/servers/files", "/mcp/servers"):
        answer = world.client.get(f"/admin/api/v1{path}", headers=reader)
        assert (answer.status_code, "precious" in answer.text) == (200, False)
    assert world.ask("POST", "/mcp/servers/none/restart").status_code == 404
    assert world.ask("POST", "/mcp/servers/files/restart").status_code == 503


def test_what_plugins_do_is_added_up_by_route(world: World) -> None:
    run(world, files=EndpointStatus(state="running"))
    counts = {"files": McpTotals(to_server=40_000, blocked=31, changed=2), "other": McpTotals()}
    registry = Registry()
    registry.add(McpRouteCollector(lambda: counts))
    for worker in ("0", "1"):
        world.metrics.update(worker, registry.snapshot(), incarnation=worker)
    assert world.services.figures.mcp(["files"]) == McpTotals(
        to_server=80_000, blocked=62, changed=4
    )
    assert world.services.figures.mcp(["none"]) == McpTotals()
    world.sign_in()
    assert '<td class="num" data-k="blocked">62</td>' in text(world, "/admin/mcp")


def test_tools_that_cannot_be_asked_for_are_said_to_be_so(world: World) -> None:
    run(world, files=EndpointStatus(state="running"))
    world.run("pins")
    world.sign_in()
    page = text(world, "/admin/mcp/servers/edit/files")
    assert "No client has listed them yet" in page
    assert 'class="finding warning"' in page
