"""All pages on a phone and on a desk, in light and in dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Rig, shoot

pytestmark = pytest.mark.live
PAGES = {
    "overview": "/admin",
    "plugins": "/admin/plugins",
    "plugin-overview": "/admin/plugins/upon-alpha",
    "plugin-versions": "/admin/plugins/upon-alpha/versions",
    "plugin-config": "/admin/plugins/upon-alpha/config",
    "plugin-dependencies": "/admin/plugins/upon-alpha/dependencies",
    "plugin-logs": "/admin/plugins/upon-alpha/logs",
    "upload": "/admin/upload",
    "routes": "/admin/routes",
    "route": "/admin/routes/edit/all",
    "upstream-new": "/admin/upstreams/new",
    "mcp-none": "/admin/mcp",
    "mcp-federation-new": "/admin/mcp/federations/new",
    "dependencies": "/admin/dependencies",
    "operations": "/admin/operations",
    "workers": "/admin/workers",
    "artifacts": "/admin/artifacts",
    "components": "/admin/artifacts/components?name=plugbay*",
    "audit": "/admin/audit",
    "access": "/admin/access",
    "user": "/admin/access/viewer",
    "account": "/admin/account",
    "not-found": "/admin/plugins/nothing",
}


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_no_page_is_wider_than_the_window(rig: Rig, width: int, scheme: str) -> None:
    rig.run("alpha", "beta-with-a-rather-long-name", "upon-alpha")
    page = rig.visitor("admin", width=width, color_scheme=scheme, reduced_motion="reduce")
    for name, path in PAGES.items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        shoot(page, f"{name}-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("a, button, input, select, textarea")]
                .filter((one) => one.checkVisibility())
                .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length))
                .map((one) => one.outerHTML)"""
        )
        assert nameless == [], name


def test_light_and_dark_are_chosen_and_kept(rig: Rig) -> None:
    page = rig.visitor("viewer", color_scheme="light")
    page.goto("/admin/plugins")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Change between light and dark").click()
    dark = page.evaluate(background)
    assert dark != light
    page.goto("/admin/workers")
    assert page.evaluate(background) == dark
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_the_addresses_of_odin_lead_to_the_pages(rig: Rig) -> None:
    page = rig.visitor("admin")
    page.goto("/admin/plugin-binaries")
    expect(page.get_by_role("heading", name="Plugins")).to_be_visible()
    page.goto("/admin/plugin-binaries/upload")
    expect(page.get_by_role("heading", name="Upload plugin")).to_be_visible()
