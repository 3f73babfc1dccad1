"""Routes, access, and what artifacts are made of, as people manage them in the dashboard."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pyotp
import pytest
from bench._gateway import write_plugin
from playwright.sync_api import expect

from .conftest import FILTER, PASSWORDS, PROVIDES, drop, shoot, toast

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from .conftest import Rig

pytestmark = pytest.mark.live


def confirm(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button).click()


def test_a_route_is_added_checked_changed_and_deleted(rig: Rig) -> None:
    page = rig.visitor("operator")
    page.goto("/admin/upstreams/new")
    page.get_by_label("name", exact=False).first.fill("second")
    targets = page.get_by_label("targets")
    targets.fill(f"{rig.gateway.upstream.address} heavy")
    expect(page.locator("[id='f/targets-error']")).to_contain_text("not a number")
    targets.fill(f"{rig.gateway.upstream.address} 3")
    page.get_by_role("button", name="Add").click()
    toast(page, "The upstream second is in force")
    page.goto("/admin/routes/new")
    page.get_by_label("name", exact=False).first.fill("under")
    page.get_by_label("upstream").select_option(label="second")
    page.locator("[id='f/path']").fill("/under")
    page.locator("[id='f/methods']").fill("GET\nHEAD")
    page.get_by_text("More: limits").click()
    page.get_by_label("strip_prefix").select_option(label="true")
    page.locator("[id='f/priority']").fill("high")
    expect(page.locator("[id='f/priority-error']")).to_contain_text("not a number")
    page.locator("[id='f/priority']").fill("7")
    expect(page.locator("#changes")).to_contain_text("/under")
    shoot(page, "route-new")
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/admin/routes")
    expect(page.locator("#route-under")).to_contain_text("second")
    where = f"http://{rig.gateway.address}/under/json"
    assert page.request.get(where).status == 200
    page.get_by_role("link", name="under", exact=True).first.click()
    page.get_by_text("More: limits").click()
    expect(page.locator("[id='f/priority']")).to_have_value("7")
    page.locator("[id='f/path']").fill("/over")
    expect(page.locator("#changes")).to_contain_text('"/over"')
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**/admin/routes")
    assert page.request.get(where.replace("under", "over")).status == 200
    page.get_by_role("button", name="Delete second").click()
    expect(page.get_by_role("dialog")).to_contain_text("under")
    confirm(page, "Delete second")
    expect(page.locator(".toast.bad")).to_contain_text("second stays")
    for name in ("under", "second"):
        page.get_by_role("button", name=f"Delete {name}").click()
        confirm(page, f"Delete {name}")
        expect(page.get_by_role("button", name=f"Delete {name}")).to_have_count(0)
    expect(page.locator("#route-all")).to_contain_text("gateway.toml")


def test_a_dropped_document_shows_what_it_would_make_first(rig: Rig, tmp_path: Path) -> None:
    page = rig.visitor("operator")
    page.goto("/admin/routes")
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"info": {}}')
    drop(page, wrong)
    expect(page.locator("#refusal")).to_contain_text("Postman")
    document = tmp_path / "pets.json"
    operation = {"responses": {}}
    servers = [{"url": f"http://{rig.gateway.upstream.address}"}]
    paths = {"/anything/pets": {"get": operation}, "/anything/pets/{id}": {"put": operation}}
    info = {"title": "Pets", "version": "1"}
    text = {"openapi": "3.1.0", "info": info, "servers": servers, "paths": paths}
    document.write_text(json.dumps(text))
    drop(page, document)
    expect(page.locator("#preview")).to_contain_text("adds the route")
    expect(page.locator("#preview")).to_contain_text("/anything/pets")
    shoot(page, "import-preview")
    assert page.locator("#route-rows tr").count() == 1
    page.get_by_role("button", name="Make these").click()
    toast(page, "in force")
    expect(page.locator("#route-rows tr")).not_to_have_count(1)
    assert page.request.get(f"http://{rig.gateway.address}/anything/pets").status == 200
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    drop(page, download.value.path())
    expect(page.locator("#preview-title")).to_contain_text("there already")


def test_a_user_is_added_given_another_role_and_locked_out(rig: Rig) -> None:
    page = rig.visitor("admin")
    page.goto("/admin/access")
    page.get_by_label("Name").fill("newcomer")
    page.get_by_label("First password").fill("short")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("[data-refusal]")).to_contain_text("Nobody was added")
    page.get_by_label("First password").fill(PASSWORDS["viewer"])
    page.get_by_role("button", name="Add").click()
    toast(page, "The user is there")
    expect(page.locator("#user-newcomer")).to_contain_text("viewer")
    shoot(page, "access")
    page.get_by_role("link", name="newcomer").click()
    page.get_by_label("publisher").check()
    page.get_by_role("button", name="Grant these").click()
    expect(page.locator("#facts")).to_contain_text("publisher")
    page.get_by_role("button", name="Lock out").click()
    expect(page.locator("#user-head")).to_contain_text("locked out")
    page.get_by_role("button", name="Remove").click()
    confirm(page, "Remove newcomer")
    page.wait_for_url("**/admin/access")
    expect(page.locator("#user-newcomer")).to_have_count(0)


def test_a_token_is_made_shown_once_and_revoked(rig: Rig) -> None:
    page = rig.visitor("viewer")
    page.goto("/admin/account")
    page.get_by_label("Name: what uses it").fill("a script")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("#token-rows")).to_contain_text("a script")
    secret = page.locator("#fresh code").inner_text()
    headers = {"authorization": f"Bearer {secret}"}
    url = f"{rig.gateway.admin_url}/admin/api/v1/plugins"
    fresh = rig.visitor().request
    assert fresh.get(url, headers=headers).status == 200
    page.reload()
    assert secret not in page.content()
    shoot(page, "account")
    page.get_by_role("button", name="Revoke a script").click()
    confirm(page, "Revoke")
    expect(page.locator("#token-rows")).to_have_count(0)
    assert fresh.get(url, headers=headers).status == 401


def test_a_second_factor_is_set_up(rig: Rig) -> None:
    call, password = rig.gateway.client.call, PASSWORDS["viewer"]
    call("POST", "/users", {"name": "wary", "roles": ["viewer"], "password": password})
    page = rig.visitor()
    page.goto("/admin/account")
    page.get_by_label("User").fill("wary")
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/account")
    page.locator("#totp-begin").get_by_label("Password").fill(password)
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator("#totp-secret")).to_be_visible()
    secret = page.locator("#totp-secret code").inner_text()
    shoot(page, "second-factor")
    page.get_by_label("First code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#recovery pre")).to_have_text(re.compile(r"\S+\n\S+"))
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("button", name="Remove it")).to_be_visible()
    assert call("GET", "/users/wary").json["second_factor"] is True


def test_a_plugin_is_pinned_moved_and_measured(rig: Rig) -> None:
    rig.run("alpha")
    rig.upload("alpha", "1.1.0")
    page = rig.visitor("operator")
    page.goto("/admin/plugins/alpha/versions")
    page.get_by_label("Why it is pinned").fill("an incident")
    page.get_by_role("button", name="Pin at 1.0.0").click()
    expect(page.locator("#pin")).to_contain_text("an incident")
    expect(page.get_by_role("button", name="Run 1.1.0")).to_have_count(0)
    shoot(page, "plugin-pinned")
    page.get_by_role("button", name="Unpin").click()
    expect(page.get_by_role("button", name="Run 1.1.0")).to_be_visible()
    page.get_by_role("link", name="Overview").last.click()
    page.get_by_role("button", name="Move to a process of its own").click()
    expect(page.get_by_role("button", name="Move into the workers")).to_be_visible(timeout=30_000)
    expect(page.locator("#figures")).to_contain_text("Memory of its own")
    shoot(page, "plugin-figures")


def test_an_artifact_says_who_signed_it_and_what_it_is_made_of(rig: Rig) -> None:
    project = write_plugin(rig.gateway.folder / "borrower", "borrower", "1.0.0", FILTER, PROVIDES)
    declared = project / "pyproject.toml"
    declared.write_text(
        declared.read_text().replace("[project]\n", '[project]\ndependencies = ["msgspec"]\n')
    )
    rig.gateway.push(project)
    page = rig.visitor("viewer")
    page.goto("/admin/artifacts")
    page.get_by_role("link", name="borrower").click()
    expect(page.locator("#signature")).to_contain_text("unsigned")
    shoot(page, "artifact")
    page.locator("#components").get_by_role("link", name="msgspec").click()
    expect(page.locator("#component-rows")).to_contain_text("borrower")
    page.get_by_label("Versions").fill("<much")
    expect(page.get_by_role("alert")).to_contain_text("version")
    page.get_by_label("Versions").fill("<0.1")
    expect(page.locator("#found")).to_contain_text("No stored plugin")
