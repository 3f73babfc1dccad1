"""The audit log over HTTP: what is recorded, found, exported and verified."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from plugbay.admin.audit import Verification, read_export
from plugbay.storage import Database

from ..conftest import V1, World

if TYPE_CHECKING:
    import pytest

UPSTREAM = {"name": "api", "targets": [{"address": "127.0.0.1:9"}]}


def audit(world: World, **query: Any) -> list[dict[str, Any]]:
    answer = world.ask("GET", "/audit", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_change_is_recorded_with_what_was_before_and_after(world: World) -> None:
    first = world.change("PUT", "/upstreams/api", json=UPSTREAM)
    changed = {**UPSTREAM, "targets": [{"address": "127.0.0.1:10"}]}
    match = world.etag("/upstreams/api")
    world.change("PUT", "/upstreams/api", json=changed, headers=match)
    after, before = audit(world, act="putUpstream")
    assert before["target"] == after["target"] == "upstreams/api"
    assert before["operation"] == first["id"]
    assert before["before"] == "revision 0"
    assert after["before"].startswith(f"revision {first['revision']} sha256:")
    assert before["after"] != after["after"]
    assert (after["actor"], after["kind"], after["address"]) == ("admin", "token", "testclient")


def test_what_was_refused_is_recorded_also_if_it_only_read(world: World) -> None:
    poor = world.token("self")
    world.client.get(f"{V1}/plugins", headers=poor)
    world.client.put(f"{V1}/upstreams/api", headers=poor, json=UPSTREAM)
    world.client.delete(f"{V1}/plugins/x")
    world.client.get(f"{V1}/me", headers=poor)
    lines = [
        (line.get("act", ""), line["method"], line["status"], line["detail"])
        for line in world.audited
    ]
    assert lines == [
        ("listPlugins", "GET", 403, "forbidden"),
        ("putUpstream", "PUT", 403, "forbidden"),
        ("", "DELETE", 401, "unauthenticated"),
    ]
    assert len(audit(world, refused=True)) == 3


def test_nothing_secret_is_recorded(world: World) -> None:
    typed = "my password in the wrong field"
    world.client.post(f"{V1}/sessions", json={"username": typed, "password": typed})
    world.sign_in()
    secret = world.ask("POST", "/tokens", json={"name": "x", "scopes": ["read"]}).json()["secret"]
    text = str([tuple(row) for row in world.db.read("SELECT record FROM audit")])
    assert typed not in text
    assert world.password not in text
    assert secret not in text


def test_pages_go_back_to_the_first_record(world: World) -> None:
    for number in range(5):
        world.client.delete(f"{V1}/plugins/p{number}")
    seen: list[int] = []
    following: str | None = None
    while True:
        query = {"limit": 2, **({"next": following} if following else {})}
        answer = world.ask("GET", "/audit", params=query).json()
        seen += [item["sequence"] for item in answer["items"]]
        following = answer["next"]
        if following is None:
            break
    assert seen == [5, 4, 3, 2, 1]


def test_only_who_may_read_it_does(world: World) -> None:
    for path in ("", "/export", "/verification"):
        refused = world.client.get(f"{V1}/audit{path}", headers=world.token("read", "self"))
        assert refused.status_code == 403


def test_an_export_is_verified_elsewhere(world: World) -> None:
    for number in range(3):
        world.client.delete(f"{V1}/plugins/p{number}")
    answer = world.ask("GET", "/audit/export")
    assert answer.headers["content-type"].startswith("application/jsonl")
    lines = answer.content.splitlines(keepends=True)
    begun = Verification()
    begun.take(read_export(iter(lines)))
    assert (begun.verdict().intact, len(lines)) == (True, 3)
    later = world.ask("GET", "/audit/export?after=2").content.splitlines()
    assert [json.loads(line)["sequence"] for line in later] == [3]


def test_a_log_that_was_touched_is_told(world: World) -> None:
    for number in range(3):
        world.client.delete(f"{V1}/plugins/p{number}")
    assert world.ask("GET", "/audit/verification").json()["intact"] is True
    touch = "UPDATE audit SET record = replace(record, 'plugins/p1', 'plugins/p9')"
    asyncio.run(world.db.write(lambda db: db.execute(touch)))
    verdict = world.ask("GET", "/audit/verification").json()
    assert verdict["intact"] is False
    assert [(one["kind"], one["sequence"]) for one in verdict["findings"]] == [("changed", 2)]


def test_an_unreadable_record_does_not_hide_the_others(world: World) -> None:
    for number in range(3):
        world.client.delete(f"{V1}/plugins/p{number}")
    touch = "UPDATE audit SET record = '{' WHERE sequence = 2"
    asyncio.run(world.db.write(lambda db: db.execute(touch)))
    assert [line["method"] for line in audit(world)] == ["DELETE", "", "DELETE"]


def test_what_cannot_be_recorded_is_not_reported_as_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = world.token()
    broken = Database.open(world.path / "other.sqlite3")
    broken.close()
    monkeypatch.setattr(world.audit, "_db", broken)
    wish = {"name": "x", "scopes": ["read"]}
    answer = world.client.post(f"{V1}/tokens", json=wish, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert "secret" not in answer.json()
    assert world.client.get(f"{V1}/me", headers=headers).status_code == 200


def test_a_flood_of_refusals_leaves_one_record_a_window(world: World) -> None:
    from plugbay.admin._border import Border

    border = world.app.asgi_handler
    assert isinstance(border, Border)
    limit = border._gates.limit
    monopoly = limit._window
    monopoly.quota = 2
    for _ in range(6):
        world.client.delete(f"{V1}/plugins/p")
    statuses = [line["status"] for line in world.audited]
    assert statuses == [401, 401, 429]
    world.clock.now += 60
    monopoly.quota = 100_000
