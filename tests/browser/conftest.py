"""Browsers against a whole gateway. Each page is checked for errors and for what its policy
has refused; what it looked like is kept in `build/screenshots`."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for, write_plugin
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from plugbay.artifacts import build_wheel
from plugbay.cli._client import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
PASSWORDS = {"viewer": "a viewer's pass phrase", "operator": "an operator's pass phrase"}
EXPECTED = ("401", "403", "404", "409", "412", "422")
"""The browser says of each refusal that a resource could not be loaded: those are asked for."""

FILTER = """
from dataclasses import dataclass, field
from typing import Literal
from plugbay.sdk import Plugin, Request, RequestFilter, Response

@dataclass(frozen=True, slots=True)
class Rule:
    path: str = "/"
    limit: int = 10

@dataclass(frozen=True, slots=True)
class Config:
    mode: Literal["watch", "block"] = "watch"
    limit: int = 60
    names: list[str] = field(default_factory=list)
    rule: Rule = field(default_factory=Rule)

class Main(Plugin[Config], RequestFilter):
    def on_request(self, request: Request) -> Response | None:
        self.host.log.info("seen %s", request.path)
        return None
"""
PLUGINS = {
    "alpha": "",
    "beta-with-a-rather-long-name": "",
    "upon-alpha": '[requires]\nalpha = ">=1"\n',
    "dropped": "",
}
"""What the tests run: ids, and what stands in the manifest besides."""
PROVIDES = 'provides = ["request-filter"]\n'


REMEMBER = """new MutationObserver((changes) => {
    for (const node of changes.flatMap((change) => [...change.addedNodes])) {
        if (!node.classList?.contains("toast")) continue;
        const said = JSON.parse(sessionStorage.getItem("said") ?? "[]");
        said.push([node.textContent, node.querySelector("a")?.href ?? ""]);
        sessionStorage.setItem("said", JSON.stringify(said));
    }
}).observe(document, { childList: true, subtree: true });"""
"""Keeps the short messages, which go away by themselves after some seconds."""
TAKE = """(text) => {
    const said = JSON.parse(sessionStorage.getItem("said") ?? "[]");
    const at = said.findIndex(([one]) => one.includes(text));
    if (at < 0) return null;
    sessionStorage.setItem("said", JSON.stringify(said.slice(at + 1)));
    return said[at];
}"""


@dataclass
class Rig:
    """A gateway, a browser, and the wheels that are uploaded."""

    gateway: Gateway
    browser: Browser
    password: str
    complaints: list[str] = field(default_factory=list[str])
    _uploaded: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    _contexts: dict[tuple[object, ...], BrowserContext] = field(
        default_factory=dict[tuple[object, ...], BrowserContext]
    )

    def visitor(self, user: str = "", *, width: int = 1280, **options: Any) -> Page:
        """A window in `user`'s browser, signed in; without a user, in a fresh browser."""
        key = (user or len(self._contexts), width, *options.values())
        context = self._contexts.get(key)
        if context is None or not user:
            viewport = {"width": width, "height": 800}
            base = self.gateway.admin_url
            context = self.browser.new_context(viewport=viewport, base_url=base, **options)
            context.set_default_timeout(60_000)
            context.add_init_script(REMEMBER)
            self._contexts[key] = context
            if user:
                wish = {"username": user, "password": PASSWORDS.get(user, self.password)}
                assert context.request.post("/admin/api/v1/sessions", data=wish).status == 201
        return self.page(context)

    def page(self, context: BrowserContext) -> Page:
        """Another window of the same browser."""
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda line: self._hear(page, line.type, line.text))
        return page

    def _hear(self, page: Page, kind: str, text: str) -> None:
        asked_for = "Failed to load resource" in text and any(code in text for code in EXPECTED)
        if kind in ("error", "warning") and not asked_for:
            self.complaints.append(f"{page.url}: {text}")

    def wheel(
        self, id: str, version: str = "1.0.0", manifest: str = "", source: str = FILTER
    ) -> Path:
        """Build a plugin."""
        folder = self.gateway.folder / f"{id}-{version}"
        project = write_plugin(folder, id, version, source, PROVIDES + manifest)
        return build_wheel(project, folder)

    def upload(self, id: str, version: str = "1.0.0", manifest: str = "") -> None:
        """Upload a plugin by the API, once."""
        if (id, version) not in self._uploaded:
            self.gateway.client.upload(self.wheel(id, version, manifest))
            self._uploaded.add((id, version))

    def run(self, *ids: str) -> None:
        """Enable plugins as they were installed, also those that a test before has changed."""
        for id in ids:
            manifest, version = PLUGINS[id], "1.0.0"
            self.upload(id, version, manifest)
            self.gateway.put(id, version=version, watch=0.0, config={})

    def end(self) -> None:
        """Close all windows, and remove all plugins but not their artifacts."""
        for context in self._contexts.values():
            for page in context.pages:
                page.close()
        call = self.gateway.client.call
        for id in reversed(PLUGINS):
            with contextlib.suppress(ApiError):
                tag = call("GET", f"/plugins/{id}").headers["etag"]
                path = f"/plugins/{id}?force=true&wait=converged"
                call("DELETE", path, headers={"if-match": tag})


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one module and no longer: meanwhile the thread has an event loop that runs, and the
    tests of others could not start theirs."""
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def started(chromium: Browser) -> Iterator[Rig]:
    with Gateway(workers=2) as gateway:
        for name, password in PASSWORDS.items():
            wish = {"name": name, "roles": [name], "password": password}
            gateway.client.call("POST", "/users", wish)
        yield Rig(gateway, chromium, (gateway.data / "first-password").read_text().strip())


@pytest.fixture
def rig(started: Rig) -> Iterator[Rig]:
    """The rig, without complaints at the end of the test and without plugins afterwards."""
    yield started
    started.end()
    complaints, started.complaints = started.complaints, []
    assert complaints == []


def drop(page: Page, file: Path) -> None:
    """Drag a file onto the page and let it go there."""
    chosen = page.evaluate_handle(
        "() => Object.assign(document.createElement('input'), { type: 'file' })"
    ).as_element()
    assert chosen is not None
    chosen.set_input_files(file)  # by its path: a large one would be slow as text
    transfer = chosen.evaluate_handle(
        """(input) => {
            const transfer = new DataTransfer();
            transfer.items.add(input.files[0]);
            return transfer;
        }"""
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#drop", event, {"dataTransfer": transfer})


def toast(page: Page, text: str) -> str:
    """Wait until a short message has been shown, be it gone by now; return where it links to."""
    said: list[str] = wait_for(f"the message {text!r}", lambda: _taken(page, text), every=0.1)
    return said[1]


def _taken(page: Page, text: str) -> list[str] | None:
    try:
        found: list[str] | None = page.evaluate(TAKE, text)
    except Error:  # another page comes just now
        return None
    return found


def shoot(page: Page, name: str) -> None:
    """Keep what the page looks like."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
