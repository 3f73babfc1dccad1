"""`gateway.<env>.toml` over `gateway.toml`: tables key by key, named entries by their name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from plugbay.kernel import Invalid, NotFound
from plugbay.settings import load, settings_files, watch
from plugbay.settings._overlay import merged

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
workers = 2
[admin]
address = "127.0.0.1:8081"
requests_per_minute = 100
[[upstreams]]
name = "api"
targets = [{ address = "127.0.0.1:9000" }]
[[routes]]
name = "all"
upstream = "api"
[[plugins]]
id = "hello"
version = "1.0.0"
config = { greeting = "hi", loud = true }
"""
OVER = """
workers = 8
[admin]
requests_per_minute = 500
[[plugins]]
id = "other"
version = "2.0.0"
[[plugins]]
id = "hello"
config = { greeting = "good day" }
"""
STAGING = {"PLUGBAY_ENV": "staging"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "gateway.toml").write_text(BASE)
    (tmp_path / "gateway.staging.toml").write_text(OVER)
    return tmp_path / "gateway.toml"


def test_without_a_name_there_is_no_overlay(path: Path) -> None:
    assert settings_files(path, {}) == (path,)
    assert load(path, {}).workers == 2
    assert load(path, {"PLUGBAY_ENV": ""}).workers == 2


def test_the_overlay_is_merged_key_by_key(path: Path) -> None:
    settings = load(path, STAGING)
    assert settings.workers == 8
    assert settings.admin.address == "127.0.0.1:8081"
    assert settings.admin.requests_per_minute == 500
    assert [route.name for route in settings.routes] == ["all"]
    hello, other = settings.plugins
    assert (hello.id, hello.version) == ("hello", "1.0.0")
    assert hello.config == {"greeting": "good day", "loud": True}
    assert (other.id, other.version) == ("other", "2.0.0")


def test_variables_win_over_both(path: Path) -> None:
    assert load(path, STAGING | {"PLUGBAY_WORKERS": "3"}).workers == 3


def test_a_missing_or_wrong_overlay_is_an_error(path: Path) -> None:
    with pytest.raises(NotFound, match=r"gateway\.prod\.toml"):
        load(path, {"PLUGBAY_ENV": "prod"})
    for name in ("../etc", "a.b", "UP", "a/b"):
        with pytest.raises(Invalid, match="no name"):
            load(path, {"PLUGBAY_ENV": name})
    overlay = path.with_name("gateway.staging.toml")
    overlay.write_text("workers = ")
    with pytest.raises(Invalid, match=r"gateway\.staging\.toml: not valid TOML"):
        load(path, STAGING)
    overlay.write_text("wokers = 1")
    with pytest.raises(Invalid) as caught:
        load(path, STAGING)
    assert caught.value.problems[0].pointer == "/wokers"


def test_entries_without_names_are_taken_as_they_are(path: Path) -> None:
    path.with_name("gateway.staging.toml").write_text("[[plugins]]\nversion = '1.0.0'\n")
    with pytest.raises(Invalid, match="plugins"):
        load(path, STAGING)
    path.with_name("gateway.staging.toml").write_text("plugins = 3\n")
    with pytest.raises(Invalid, match="plugins"):
        load(path, STAGING)


def test_both_files_are_watched(path: Path) -> None:
    async def changes() -> int:
        seen, files = 0, settings_files(path, STAGING)
        async with asyncio.timeout(100):
            changed = watch(*files, interval=0.01)
            for file in reversed(files):
                step = asyncio.ensure_future(anext(changed))
                await asyncio.sleep(0)  # it looks at the files for the first time
                file.write_text(file.read_text() + "\n")
                await step
                seen += 1
            await changed.aclose()
        return seen

    assert asyncio.run(changes()) == 2


def test_mcp_servers_are_merged_by_their_names() -> None:
    servers = [{"name": "files", "command": "npx", "args": ["files"]}, {"name": "time"}]
    over = {"servers": [{"name": "files", "command": "node"}, {"name": "more"}]}
    found = merged({"mcp": {"servers": servers, "federations": []}}, {"mcp": over})["mcp"]
    assert found["servers"] == [
        {"name": "files", "command": "node", "args": ["files"]},
        {"name": "time"},
        {"name": "more"},
    ]
    assert found["federations"] == []
