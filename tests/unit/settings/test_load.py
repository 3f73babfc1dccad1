"""Settings are typed, unknown keys are refused, and the environment wins."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from plugbay.kernel import Invalid, NotFound
from plugbay.settings import load, parse, watch

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
workers = 2
[admin]
address = "127.0.0.1:0"
[[upstreams]]
name = "api"
targets = [{ address = "127.0.0.1:9000" }, { address = "[::1]:9001", weight = 3 }]
balance = "weighted"
[upstreams.health]
path = "/up"
[[routes]]
name = "all"
path = "/"
upstream = "api"
[[plugins]]
id = "hello"
version = "1.0.0"
config = { greeting = "hi" }
"""


def test_an_empty_file_is_the_defaults() -> None:
    settings = parse("", {})
    assert settings.listeners[0].address == "127.0.0.1:8080"
    assert settings.admin.address == "127.0.0.1:8081"
    assert not settings.tracing.endpoint
    assert load(None, {}) == settings


def test_http_2_is_on_with_tls_unless_the_file_says_otherwise() -> None:
    pair = 'tls = { certificate = "c", key = "k" }'
    for lines, speaks in (
        ([], False),
        ([pair], True),
        ([pair, "http2 = false"], False),
        (["http2 = true"], True),
    ):
        (listener,) = parse("\n".join(["[[listeners]]", *lines]), {}).listeners
        assert listener.speaks_http2 is speaks


def test_a_whole_file_is_typed() -> None:
    settings = parse(GOOD, {})
    assert settings.workers == 2
    assert settings.upstreams[0].targets[1].weight == 3
    assert settings.upstreams[0].health is not None
    assert settings.upstreams[0].health.path == "/up"
    assert settings.plugins[0].config == {"greeting": "hi"}


def test_the_environment_overrides_the_file() -> None:
    environment = {
        "PLUGBAY_WORKERS": "4",
        "PLUGBAY_ADMIN__ADDRESS": "127.0.0.1:9999",
        "PLUGBAY_LOG__ACCESS": "true",
        "PLUGBAY_ADMIN_URL": "http://elsewhere",
        "PLUGBAY_TOKEN": "pb_x",
        "PLUGBAY_STATE_DIR": "/state",
        "PLUGBAY_KEY_PASSWORD": "x",
        "PLUGBAY_SECRET_DB": "hunter2",
        "HOME": "/",
    }
    settings = parse(GOOD, environment)
    assert settings.workers == 4
    assert settings.admin.address == "127.0.0.1:9999"
    assert settings.log.access is True


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("worker = 2", "/worker"),
        ("[admin]\nadress = 'x'", "/admin/adress"),
        ("[[routes]]\nname = 'a'\nupstream = 'x'\npaths = '/'", "/routes/0/paths"),
        ("[[routes]]\nname = 'a'\nupstream = 'x'", "/routes/0/upstream"),
        ("[[routes]]\nname = 'a'", "/routes/0"),
        ("[[routes]]\nname = 'a'\nplugin = 'p'\npath = 'x'", "/routes/0/path"),
        ("[[upstreams]]\nname = 'a'\ntargets = []", "/upstreams/0/targets"),
        (
            "[[upstreams]]\nname = 'a'\ntargets = [{address = 'x'}]",
            "/upstreams/0/targets/0/address",
        ),
        ("[[listeners]]\naddress = '8080'", "/listeners/0/address"),
        ("listeners = []", "/listeners"),
        ("workers = -1", "/workers"),
        ("workers = 'two'", "/workers"),
        ("[tracing]\nendpoint = 'collector:4318'", "/tracing/endpoint"),
        ("[tracing]\nratio = 1.5", "/tracing/ratio"),
        (GOOD + "[[routes]]\nname = 'all'\nupstream = 'api'", "/routes/1"),
    ],
)
def test_what_is_wrong_is_pointed_at(text: str, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text, {})
    assert caught.value.problems[0].pointer == pointer


def test_text_that_is_not_toml_is_refused_with_its_line() -> None:
    with pytest.raises(Invalid, match="line 2"):
        parse("a = 1\nb = = 2", {})


def test_an_override_through_a_plain_value_is_refused() -> None:
    with pytest.raises(Invalid, match="not a table"):
        parse("workers = 1", {"PLUGBAY_WORKERS__X": "1"})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gateway\.toml"):
        load(tmp_path / "gateway.toml", {})


def test_a_replaced_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("workers = 1")

    async def scenario() -> None:
        changes = watch(path, interval=0.01)
        seen = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        (tmp_path / "new").write_text("workers = 22")
        os.replace(tmp_path / "new", path)
        async with asyncio.timeout(100):
            await seen
        assert load(path, {}).workers == 22
        await changes.aclose()

    asyncio.run(scenario())
