"""What people do in the dashboard, from the sign-in to a deletion."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import expect

from .conftest import PASSWORDS, Rig, drop, shoot, toast

pytestmark = pytest.mark.live
MARK = "window.mark = 'not loaded anew'"


def test_a_wrong_password_is_refused_and_the_right_one_leads_back(rig: Rig) -> None:
    page = rig.visitor()
    page.goto("/admin/operations?next=0")
    assert "/admin/sign-in?next=" in page.url
    expect(page.get_by_label("User")).to_be_focused()
    page.keyboard.type("admin")
    page.get_by_label("Password").fill("something else")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    shoot(page, "sign-in-refused")
    page.get_by_label("Password").fill(rig.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Operations")).to_be_visible()
    assert page.url.endswith("/admin/operations?next=0")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/admin")
    assert page.url.endswith("/admin/sign-in")
    assert page.request.get("/admin/api/v1/plugins").status == 401


def test_a_second_factor_is_asked_for(rig: Rig) -> None:
    call = rig.gateway.client.call
    password = PASSWORDS["viewer"]
    call("POST", "/users", {"name": "careful", "roles": ["viewer"], "password": password})
    browser = rig.visitor()
    session = {"username": "careful", "password": password}
    csrf = browser.request.post("/admin/api/v1/sessions", data=session).json()["csrf"]
    headers = {"x-csrf-token": csrf}
    begun = browser.request.post(
        "/admin/api/v1/me/totp", data={"current": password}, headers=headers
    )
    codes = pyotp.parse_uri(begun.json()["uri"])
    assert isinstance(codes, pyotp.TOTP)
    first = {"code": codes.now()}
    confirmed = browser.request.post(
        "/admin/api/v1/me/totp/confirm", data=first, headers=headers
    ).json()
    page = rig.visitor()
    page.goto("/admin/workers")
    page.get_by_label("User").fill("careful")
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    code = page.get_by_label("Code of your authenticator")
    expect(code).to_be_focused()
    code.fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).not_to_be_empty()
    code.fill(confirmed["recovery_codes"][0])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()


def test_a_wheel_is_dropped_proved_and_enabled(rig: Rig) -> None:
    page = rig.visitor("admin")
    page.goto("/admin/upload")
    drop(page, rig.wheel("dropped"))
    steps = page.locator("#steps li")
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#result-title")).to_have_text("dropped 1.0.0")
    assert steps.count() >= 5
    expect(page.locator("#steps li.pass, #steps li:has-text('not needed')")).to_have_count(
        steps.count()
    )
    shoot(page, "upload-validated")
    page.get_by_role("button", name="Enable").click()
    page.wait_for_url("**/admin/plugins/dropped")
    expect(page.locator("#plugin-head .state")).to_have_text("active")
    toast(page, "dropped runs")
    expect(page.locator("#last-change")).to_contain_text("Dropped")
    shoot(page, "plugin")


def test_a_refusal_names_the_layer_and_the_remedy(rig: Rig) -> None:
    page = rig.visitor("admin")
    page.goto("/admin/upload")
    wheel = rig.wheel("broken", source="class Main:\n    pass\n")
    page.set_input_files("#file", wheel)
    failed = page.locator("#steps li.fail")
    expect(failed).to_have_count(1)
    expect(failed.locator(".finding").first).to_contain_text("expected")
    expect(failed.locator(".remedy").first).not_to_be_empty()
    expect(page.locator("#refusal")).to_contain_text("refused")
    expect(page.locator("#steps li.wait")).not_to_have_count(0)
    shoot(page, "upload-refused")
    page.goto("/admin")
    expect(page.locator("#concerns")).to_contain_text("plugbay_broken-1.0.0")


def test_a_binary_is_asked_for_its_manifest_first(rig: Rig) -> None:
    page = rig.visitor("admin")
    page.goto("/admin/upload")
    program = rig.gateway.folder / "some-tool-1.2.0"
    program.write_bytes(Path("/bin/true").read_bytes())
    drop(page, program)
    expect(page.locator("#kind")).to_have_text("executable")
    expect(page.get_by_label("Name")).to_have_value("some-tool")
    page.get_by_label("Version").fill("1.2.0")
    page.get_by_label("Protocol").select_option("km")
    shoot(page, "upload-binary")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#steps li.fail")).to_have_count(1)
    expect(page.locator("#steps li.fail .finding").first).not_to_be_empty()
    shoot(page, "upload-binary-refused")


def test_an_upload_is_cancelled(rig: Rig) -> None:
    page = rig.visitor("admin")
    page.goto("/admin/upload")
    page.route("**/api/v1/artifacts?*", lambda route: None)  # it does not come to an end
    drop(page, rig.wheel("cancelled"))
    expect(page.locator("#sending")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    toast(page, "cancelled")
    expect(page.locator("#sending")).to_be_hidden()
    expect(page.locator("#explain")).to_be_visible()
    names = [one["plugin"] for one in rig.gateway.client.call("GET", "/artifacts").json["items"]]
    assert "cancelled" not in names


def test_an_empty_file_is_not_even_sent(rig: Rig) -> None:
    page = rig.visitor("admin")
    page.goto("/admin/upload")
    empty = rig.gateway.folder / "empty.whl"
    empty.touch()
    drop(page, empty)
    expect(page.locator("#refusal")).to_contain_text("is empty")


def test_a_switch_is_seen_in_another_window_without_a_reload(rig: Rig) -> None:
    rig.run("alpha")
    first, second = rig.visitor("operator"), rig.visitor("viewer")
    for page in (first, second):
        page.goto("/admin/plugins")
    expect(second.locator("#link")).to_have_text("live")
    second.evaluate(MARK)
    switch = first.get_by_role("switch", name="alpha enabled", exact=True)
    switch.uncheck()
    toast(first, "alpha is off")
    expect(second.locator("#plugin-alpha .state")).to_have_text("disabled")
    expect(second.get_by_role("switch", name="alpha enabled", exact=True)).not_to_be_checked()
    switch.check()
    expect(second.locator("#plugin-alpha .state")).to_have_text("active")
    assert second.evaluate("window.mark") == "not loaded anew"
    shoot(second, "plugins-live")


def test_nothing_moves_under_the_pointer(rig: Rig) -> None:
    rig.run("beta-with-a-rather-long-name")
    page = rig.visitor("operator")
    page.goto("/admin/plugins")
    expect(page.locator("#link")).to_have_text("live")
    page.locator("#plugin-beta-with-a-rather-long-name").hover()
    rig.run("alpha")
    rows = page.locator("#plugin-rows tr")
    expect(page.locator("#plugin-rows[data-late]")).to_have_count(1)
    expect(rows).to_have_count(1)
    page.locator("h1").hover()
    expect(rows).to_have_count(2)
    expect(rows.first).to_have_attribute("id", "plugin-alpha")


def test_a_refused_switch_moves_back_and_says_why(rig: Rig) -> None:
    rig.run("alpha", "upon-alpha")
    page = rig.visitor("operator")
    page.goto("/admin/plugins")
    page.get_by_role("switch", name="alpha enabled", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("upon-alpha")
    shoot(page, "disable-names-dependents")
    page.keyboard.press("Escape")
    expect(page.get_by_role("switch", name="alpha enabled", exact=True)).to_be_checked()
    page.get_by_role("switch", name="alpha enabled", exact=True).click()
    dialog.get_by_role("button", name="Disable 2 plugins").click()
    toast(page, "alpha is off")
    upon = page.get_by_role("switch", name="upon-alpha enabled")
    expect(upon).not_to_be_checked()
    upon.click()
    expect(page.locator(".toast.bad")).to_contain_text("upon-alpha stays off")
    expect(page.locator(".toast.bad")).to_contain_text("alpha")
    expect(upon).not_to_be_checked()


def test_a_configuration_is_checked_compared_applied_and_rolled_back(rig: Rig) -> None:
    rig.run("alpha")
    page = rig.visitor("operator")
    page.goto("/admin/plugins/alpha/config")
    limit = page.get_by_label("limit", exact=True).first
    limit.fill("many")
    expect(page.locator("[id='f/limit-error']")).to_contain_text("not a number")
    limit.fill("1.5")
    expect(page.locator("[id='f/limit-error']")).not_to_be_empty()
    expect(limit).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Apply")).to_be_disabled()
    shoot(page, "config-invalid")
    limit.fill("25")
    page.get_by_label("mode").select_option(label="block")
    page.get_by_label("path").fill("/api")
    page.get_by_label("names").fill("one\ntwo")
    changes = page.locator("#changes")
    expect(changes).to_contain_text("/limit")
    expect(changes).to_contain_text('"block"')
    expect(page.locator("[id='f/limit-error']")).to_be_empty()
    shoot(page, "config-difference")
    page.get_by_label("Comment").fill("block at 25")
    page.get_by_role("button", name="Apply").click()
    toast(page, "new configuration")
    expect(page.locator("#history li").first).to_contain_text("block at 25")
    wanted = {"mode": "block", "limit": 25, "names": ["one", "two"], "rule": {"path": "/api"}}
    path = "/plugins/alpha/config"
    assert rig.gateway.client.call("GET", path).json["config"] == wanted
    expect(page.get_by_label("limit", exact=True).first).to_have_value("25")
    page.get_by_role("button", name="As JSON").click()
    assert '"limit": 25' in page.locator("#json").input_value()
    page.get_by_role("button", name="Roll back to 1").click()
    toast(page, "configuration of version 1")
    assert rig.gateway.client.call("GET", path).json["config"] == {}


def test_versions_are_run_and_rolled_back(rig: Rig) -> None:
    rig.run("alpha")
    rig.upload("alpha", "1.1.0")
    page = rig.visitor("operator")
    page.goto("/admin/plugins/alpha/versions")
    page.get_by_role("button", name="Run 1.1.0").click()
    toast(page, "alpha 1.1.0 runs")
    expect(page.locator("#plugin-head")).to_contain_text("1.1.0")
    expect(page.get_by_role("button", name="Run 1.0.0")).to_be_visible()
    page.get_by_role("button", name="Roll back").click()
    receipt = toast(page, "what it was before")
    expect(page.locator("#plugin-head")).to_contain_text("1.0.0")
    page.goto(receipt)
    expect(page.get_by_role("heading", name="rollback alpha")).to_be_visible()
    expect(page.locator("#operation")).to_contain_text("In flight at the flip")
    shoot(page, "operation")


def test_a_deletion_asks_and_names_what_depends_on_it(rig: Rig) -> None:
    rig.run("alpha", "upon-alpha")
    page = rig.visitor("operator")
    page.goto("/admin/plugins/alpha/dependencies")
    expect(page.locator("svg.graph a.node")).to_have_count(2)
    shoot(page, "dependencies")
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("listitem")).to_have_text(["upon-alpha"])
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete alpha").click()
    page.wait_for_url("**/admin/plugins")
    toast(page, "alpha is deleted")
    expect(page.locator("#plugin-rows tr")).to_have_count(1)
    expect(page.locator("#plugin-upon-alpha .state")).to_have_text("disabled")


def test_an_artifact_is_deleted_when_nothing_uses_it(rig: Rig) -> None:
    rig.run("alpha")
    rig.upload("alpha", "1.2.0")
    page = rig.visitor("admin")
    page.goto("/admin/artifacts")
    expect(page.get_by_role("button", name="Delete alpha 1.0.0")).to_be_disabled()
    page.get_by_role("button", name="Delete alpha 1.2.0").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Delete alpha 1.2.0")).to_have_count(0)
    toast(page, "is deleted")


def test_a_worker_is_replaced_by_a_fresh_process(rig: Rig) -> None:
    page = rig.visitor("operator")
    page.goto("/admin/workers")
    row = page.locator("#worker-rows tr").first
    process = row.locator("td").nth(2)
    before = process.inner_text()
    row.get_by_role("button", name="Restart").click()
    page.get_by_role("dialog").get_by_role("button", name="Restart").click()
    expect(process).not_to_have_text(before)
    expect(page.locator("#worker-rows .state.active")).to_have_count(2)


def test_a_viewer_is_offered_nothing_and_refused_by_the_server(rig: Rig) -> None:
    rig.run("alpha")
    page = rig.visitor("viewer")
    page.goto("/admin/plugins/alpha")
    expect(page.get_by_role("heading", name="alpha")).to_be_visible()
    for name in ("Disable", "Delete", "Reload", "Roll back"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.goto("/admin/plugins")
    expect(page.get_by_role("switch")).to_be_disabled()
    expect(page.get_by_role("link", name="Upload")).to_have_count(0)
    status = page.evaluate(
        """async () => {
            const csrf = document.querySelector('meta[name="csrf"]').content;
            const headers = { "x-csrf-token": csrf };
            const path = "/admin/api/v1/plugins/alpha/disable";
            return (await fetch(path, { method: "POST", headers })).status;
        }"""
    )
    assert status == 403
    page.goto("/admin/upload")
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
    shoot(page, "forbidden")


def test_the_keyboard_is_enough(rig: Rig) -> None:
    rig.run("alpha", "beta-with-a-rather-long-name", "upon-alpha")
    page = rig.visitor("operator")
    page.goto("/admin/plugins")
    page.keyboard.press("/")
    search = page.get_by_label("Search plugins")
    expect(search).to_be_focused()
    page.keyboard.type("bet")
    page.keyboard.type("a-")
    expect(page.locator("#plugin-rows tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=beta-$"))
    page.keyboard.press("Escape")
    expect(page.locator("#plugin-rows tr")).to_have_count(3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="beta-with-a-rather-long-name")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("link", name="alpha", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/plugins/alpha")


def test_traffic_is_drawn(rig: Rig) -> None:
    rig.run("alpha")
    page = rig.visitor("viewer")
    page.goto("/admin/plugins/alpha")
    requests = page.locator("#traffic .card").first

    until = time.monotonic() + 100
    while not re.search(r"[1-9]", requests.inner_text()):
        assert time.monotonic() < until, "no traffic was drawn"
        page.request.get(f"http://{rig.gateway.address}/json")
    page.goto("/admin/plugins/alpha/logs")
    expect(page.locator("#logs")).to_contain_text("seen /json")
    shoot(page, "logs")
