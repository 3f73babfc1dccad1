"""Go plugins in the dashboard: dropped, proved layer by layer, run, rolled back and deleted."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests import go_binaries

from unit.artifacts import binaries
from unit.runtimes.goso.binaries import plugin, runners

from .conftest import drop, shoot, toast

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from .conftest import Rig

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]  # the first run builds the plugins

WATCH = """() => {
    const steps = document.getElementById("steps");
    window.passed = [];
    const look = () => window.passed.push(steps.querySelectorAll(".pass").length);
    new MutationObserver(look).observe(steps, { subtree: true, attributes: true });
}"""
"""Remembers how many layers had passed, each time that one was drawn."""


def shared_object(version: str) -> Path:
    return plugin("behave", f"-ldflags=-X main.version={version}")


def offer(page: Page, file: Path, name: str, version: str) -> None:
    """Drop a shared object onto the page, and say what it is."""
    page.goto("/admin/upload")
    drop(page, file)
    expect(page.locator("#kind")).to_have_text("Go .so")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Version").fill(version)
    page.evaluate(WATCH)
    page.get_by_role("button", name="Upload", exact=True).click()


def assert_proved_one_by_one(page: Page) -> None:
    """Each layer was shown as it ended, not all of them at the end."""
    count = page.locator("#steps li.pass").count()
    assert count == page.locator("#steps li").count() >= 6
    assert any(0 < one < count for one in page.evaluate("window.passed"))


def version_met(rig: Rig, page: Page) -> str:
    """The version that a request through the gateway has met."""
    answer = page.request.get(f"http://{rig.gateway.address}/json")
    assert answer.status == 200
    return answer.headers.get("x-version", "")


@pytest.fixture(scope="module")
def runner(started: Rig) -> None:
    """The runner is there: that one is built on demand is tested elsewhere."""
    # In another thread, for in this one the browser's event loop runs.
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(asyncio.run, runners().runner_for(shared_object("1.0.0"))).result()
    shutil.copytree(found.parent, started.gateway.data / "runners" / found.parent.name)


@pytest.mark.usefixtures("runner")
def test_a_shared_object_is_run_swapped_rolled_back_and_deleted(rig: Rig) -> None:
    page = rig.visitor("admin")
    for version in ("1.0.0", "2.0.0"):
        offer(page, shared_object(version), "gopher", version)
        expect(page.locator("#result-title")).to_have_text(f"gopher {version}")
        assert_proved_one_by_one(page)
        shoot(page, f"upload-shared-object-{version}")
        page.get_by_role("button", name="Enable").click()
        page.wait_for_url("**/admin/plugins/gopher")
        expect(page.locator("#plugin-head .state")).to_have_text("active")
        expect(page.locator("#plugin-head")).to_contain_text("goso")
        assert version_met(rig, page) == version
    page.get_by_role("button", name="Roll back").click()
    toast(page, "what it was before")
    expect(page.locator("#plugin-head")).to_contain_text("1.0.0")
    assert version_met(rig, page) == "1.0.0"
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete gopher").click()
    page.wait_for_url("**/admin/plugins")
    assert version_met(rig, page) == ""


def test_a_shared_object_without_new_is_told_what_is_missing(rig: Rig) -> None:
    page = rig.visitor("admin")
    offer(page, binaries.make().bare, "bare", "1.0.0")
    failed = page.locator("#steps li.fail")
    expect(failed).to_have_count(1)
    finding = failed.locator(".finding").first
    expect(finding).to_contain_text("New")
    expect(finding).to_contain_text("expected")
    expect(finding).to_contain_text("found")
    expect(finding.locator(".remedy")).not_to_be_empty()
    expect(page.locator("#steps li.wait").last).to_contain_text("skipped")
    expect(page.locator("#result")).to_be_hidden()
    shoot(page, "upload-shared-object-refused")


def test_a_program_is_no_shared_object_by_its_name(rig: Rig, tmp_path: Path) -> None:
    page = rig.visitor("admin")
    renamed = tmp_path / "renamed.so"
    shutil.copyfile(go_binaries.program(), renamed)
    page.goto("/admin/upload")
    drop(page, renamed)
    expect(page.locator("#kind")).to_have_text("executable")
    page.get_by_role("button", name="Upload", exact=True).click()
    finding = page.locator("#steps li.fail .finding").first
    expect(finding).to_contain_text(".so")
    expect(finding.locator(".remedy")).not_to_be_empty()
