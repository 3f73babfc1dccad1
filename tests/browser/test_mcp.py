"""MCP servers and federations, as people look after them in the dashboard."""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from .conftest import shoot, toast

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Rig

pytestmark = pytest.mark.live
ROOT = Path(__file__).resolve().parents[2]
BY_HAND = ROOT / "tests" / "unit" / "mcp" / "server.py"


class Client:
    """An MCP client with a session."""

    def __init__(self, rig: Rig, path: str) -> None:
        host, _, port = rig.gateway.address.rpartition(":")
        self._connection = HTTPConnection(host, int(port), timeout=100)
        self._path, self.session = path, ""
        info = {"name": "x", "version": "1"}
        self.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=info)

    def ask(self, method: str, **params: Any) -> bytes:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        fields = {"accept": "application/json, text/event-stream"}
        if self.session:
            fields |= {"mcp-session-id": self.session, "mcp-protocol-version": "2025-11-25"}
        self._connection.request("POST", self._path, json.dumps(body), fields)
        answer = self._connection.getresponse()
        self.session = self.session or str(answer.headers["mcp-session-id"])
        return answer.read()

    def call(self, tool: str, **arguments: Any) -> bytes:
        return self.ask("tools/call", name=tool, arguments=arguments)

    def end(self) -> None:
        self._connection.request("DELETE", self._path, headers={"mcp-session-id": self.session})
        self._connection.getresponse().read()
        self._connection.close()


def press(page: Page, button: str, yes: str) -> None:
    page.get_by_role("button", name=button).click()
    page.get_by_role("dialog").get_by_role("button", name=yes).click()


def on_a_phone(page: Page, name: str) -> None:
    """See that it fits, and keep what it looks like there."""
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shoot(page, name)
    page.set_viewport_size({"width": 1280, "height": 800})


def test_servers_and_federations_are_added_watched_and_deleted(rig: Rig) -> None:
    viewer = rig.visitor("viewer")
    viewer.goto("/admin/mcp")
    expect(viewer.locator("#add-command")).to_contain_text("plugbay mcp add")
    expect(viewer.get_by_role("link", name="Add server")).to_have_count(0)
    shoot(viewer, "mcp-empty")
    page = rig.visitor("admin")
    page.goto("/admin/mcp")
    page.get_by_role("link", name="Add server").click()
    page.get_by_label("name", exact=False).first.fill("Hand")
    page.locator("[id='f/command']").fill(sys.executable)
    expect(page.locator("[id='f/name-error']")).to_contain_text("no name")
    page.locator("[id='f/name']").fill("hand")
    page.locator("[id='f/args']").fill(f"{BY_HAND}\ndashboard")
    page.locator("[id='f/env']").fill("TOKEN")
    expect(page.locator("[id='f/env-error']")).to_contain_text("NAME=value")
    page.locator("[id='f/env']").fill("TOKEN=quite secret\nOTHER=${env:HOME}")
    expect(page.locator("#changes")).to_contain_text("quite secret")
    page.locator("[id='f/command']").fill("no-such-command")
    expect(page.locator("[id='f/command-error']")).to_contain_text("there is no command")
    on_a_phone(page, "mcp-new-refused-390")  # the whole PATH is told, and fits
    page.locator("[id='f/command']").fill(sys.executable)
    page.locator("[id='f/path']").fill("hand")
    expect(page.locator("[id='f/path-error']")).to_contain_text("a path starts with")
    page.locator("[id='f/path']").fill("/hand")
    expect(page.locator("#changes")).to_contain_text("route hand")
    shoot(page, "mcp-new")
    page.get_by_role("button", name="Add").click()
    toast(page, "The MCP server hand is in force, and the route /hand leads to it")
    expect(page.locator("#server-hand")).to_contain_text("stopped")
    page.goto("/admin/mcp/federations/new")
    page.locator("[id='f/name']").fill("union")
    page.locator("[id='f/members']").fill("hand h\nnowhere")
    expect(page.locator("[id='f/members-error']")).to_contain_text("no such server")
    page.locator("[id='f/members']").fill("hand h\nhttp://127.0.0.1:9/mcp far")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#federation-union")).to_contain_text("http://127.0.0.1:9/mcp")

    page.get_by_role("link", name="add one").click()
    expect(page.locator("[id='f/path']")).to_have_value("/union")
    page.locator("[id='f/path']").press("End")
    page.locator("[id='f/path']").press_sequentially("s")
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/admin/routes")
    page.goto("/admin/mcp/servers/new")
    page.locator("[id='f/name']").fill("hand")
    page.locator("[id='f/command']").fill(sys.executable)
    expect(page.locator("[id='f/name-error']")).to_contain_text("is there already")
    page.goto("/admin/mcp")
    client, joined = Client(rig, "/hand"), Client(rig, "/unions")
    row = page.locator("#server-hand")
    expect(row).to_contain_text("running")
    expect(page.locator("#federation-union")).to_contain_text("far is down")
    client.ask("tools/list")
    assert b"50301" in client.call("exit", code=7)
    expect(row.locator("[data-k=restarts]")).to_have_text("1")
    viewer.goto("/admin/mcp/servers/edit/hand")
    expect(viewer.locator("#mcp-status")).to_contain_text("it has ended with code 7")
    assert "quite secret" not in viewer.content()
    expect(viewer.locator("#tool-echo")).to_be_visible()
    expect(viewer.get_by_role("button", name="Restart hand")).to_have_count(0)
    expect(viewer.locator("[id='f/command']")).to_be_disabled()
    press(page, "Restart hand", "Restart hand")
    toast(page, "hand starts anew")
    expect(row.locator("[data-k=restarts]")).to_have_text("3")
    shoot(page, "mcp")
    on_a_phone(page, "mcp-390")
    page.get_by_role("link", name="union", exact=True).click()
    expect(page.locator("#mcp-status")).to_contain_text("far is down")
    page.emulate_media(color_scheme="dark")
    shoot(page, "mcp-federation-dark")
    page.emulate_media(color_scheme="light")
    page.get_by_role("link", name="All of MCP").click()
    client.end()
    joined.end()
    page.get_by_role("link", name="hand", exact=True).first.click()
    page.get_by_text("More: restarts").click()
    page.locator("[id='f/idle']").fill("60")
    expect(page.locator("#changes")).to_contain_text("/idle")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**/admin/mcp")
    page.goto("/admin/mcp/servers/edit/hand")
    press(page, "Delete hand", "Delete hand")
    expect(page.locator(".toast.bad")).to_contain_text("hand stays")
    for kind, name in (("federations", "union"), ("servers", "hand")):
        page.goto(f"/admin/mcp/{kind}/edit/{name}")
        press(page, f"Delete {name}", f"Delete {name} and 1 route")
        page.wait_for_url("**/admin/mcp")
    routes = rig.gateway.client.call("GET", "/routes").json["items"]
    assert not any(one["spec"]["mcp"] for one in routes)
    expect(page.locator("#add-command")).to_be_visible()


def test_tools_are_approved(rig: Rig) -> None:
    gateway = rig.gateway
    server = {"name": "hand", "command": sys.executable, "args": [str(BY_HAND)]}
    route = {"name": "hand", "path": "/hand", "mcp": "hand"}
    document: dict[str, Any] = {"mcp": {"servers": [server]}, "routes": [route]}
    gateway.change("POST", "/apply", document)
    artifact = gateway.push(ROOT / "plugins" / "mcp" / "pins")
    gateway.put("pins", digest=artifact["digest"], config={"trust_first": False}, routes=["hand"])
    client = Client(rig, "/hand")
    client.ask("tools/list")
    page = rig.visitor("admin")
    page.goto("/admin/mcp/servers/edit/hand")
    tool = page.locator("#tool-hand-echo")
    expect(tool).to_contain_text("new")
    shoot(page, "mcp-server")
    press(page, "Approve echo of hand", "Approve it")
    expect(tool).to_contain_text("approved")
    assert b"isError" in client.call("secret")
    expect(page.locator("#mcp-status")).to_contain_text("Blocked")
    on_a_phone(page, "mcp-server-390")
    client.end()
