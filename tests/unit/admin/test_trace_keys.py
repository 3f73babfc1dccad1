"""Keys for debug requests: short-lived, for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugbay.admin import AdminOptions
from plugbay.app._trace_key import RevokedTraces
from plugbay.observability import trace_id, verify_trace

from .conftest import V1, World

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"0123456789abcdef"


class TestWithAKey:
    @pytest.fixture
    def options(self, tmp_path: Path) -> AdminOptions:
        (tmp_path / "run").mkdir()
        tell = RevokedTraces(tmp_path).write
        return AdminOptions(requests_per_minute=100_000, trace_key=KEY, revoke_traces=tell)

    def test_it_holds_for_as_long_as_it_says(self, world: World) -> None:
        answer = world.ask("POST", "/trace-keys", json={"lifetime": 60})
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "no-store"
        made, now = answer.json(), world.clock.now
        assert (made["header"], made["expires"]) == ("plugbay-trace", now + 60)
        assert verify_trace(KEY, made["value"].encode(), now=now + 59)
        assert not verify_trace(KEY, made["value"].encode(), now=now + 60)

    def test_one_is_revoked_and_the_others_hold(self, world: World) -> None:
        first = world.ask("POST", "/trace-keys", json={}).json()
        other = world.ask("POST", "/trace-keys", json={}).json()
        assert first["value"] != other["value"]
        assert trace_id(first["value"].encode()) == first["id"]
        assert world.ask("DELETE", f"/trace-keys/{first['id']}").status_code == 204
        listed = world.ask("GET", "/trace-keys").json()["items"]
        assert [(one["id"], one["revoked"]) for one in listed] == [
            (other["id"], False),
            (first["id"], True),
        ]
        assert "value" not in listed[0]
        revoked = RevokedTraces(world.path)
        assert first["id"] in revoked
        assert other["id"] not in revoked
        assert world.ask("DELETE", "/trace-keys/none").status_code == 404
        world.clock.now += 300
        assert world.ask("GET", "/trace-keys").json()["items"] == []

    @pytest.mark.parametrize("lifetime", [0, -1, 3601])
    def test_its_lifetime_is_bounded(self, world: World, lifetime: int) -> None:
        answer = world.ask("POST", "/trace-keys", json={"lifetime": lifetime})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/lifetime"

    def test_it_needs_the_permission(self, world: World) -> None:
        headers = world.token("self", "read")
        answer = world.client.post(f"{V1}/trace-keys", json={}, headers=headers)
        assert answer.status_code == 403
        headers = world.token("trace")
        answer = world.client.post(f"{V1}/trace-keys", json={}, headers=headers)
        assert answer.status_code == 201


def test_without_a_key_none_is_given(world: World) -> None:
    assert world.ask("POST", "/trace-keys", json={}).status_code == 503
