"""Keys for debug requests: short-lived, for operators."""

from __future__ import annotations

import pytest

from plugbay.admin import AdminOptions
from plugbay.observability import verify_trace

from .conftest import V1, World

KEY = b"0123456789abcdef"


class TestWithAKey:
    @pytest.fixture
    def options(self) -> AdminOptions:
        return AdminOptions(requests_per_minute=100_000, trace_key=KEY)

    def test_it_holds_for_as_long_as_it_says(self, world: World) -> None:
        answer = world.ask("POST", "/trace-keys", json={"lifetime": 60})
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "no-store"
        made, now = answer.json(), world.clock.now
        assert (made["header"], made["expires"]) == ("plugbay-trace", now + 60)
        assert verify_trace(KEY, made["value"].encode(), now=now + 59)
        assert not verify_trace(KEY, made["value"].encode(), now=now + 60)

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
