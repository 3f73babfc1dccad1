"""A client of `/plugins`."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from httpx import Response

    from ..conftest import World

API = "/plugins"


class Hkp:
    """A client of the API."""

    def __init__(self, world: World, *scopes: str) -> None:
        self.world, self.headers = world, world.token(*scopes)

    def ask(self, method: str, path: str, **parts: Any) -> Response:
        headers = {**self.headers, **parts.pop("headers", {})}
        return self.world.client.request(method, f"{API}{path}", headers=headers, **parts)

    def get(self, path: str) -> dict[str, Any]:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/json")
        said: dict[str, Any] = answer.json()
        at = datetime.datetime.fromisoformat(said["timestamp"])
        assert at.timestamp() == pytest.approx(self.world.clock.now, abs=0.001)
        return said

    def do(self, method: str, path: str, **parts: Any) -> dict[str, Any]:
        answer = self.ask(method, path, **parts)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        assert set(said) >= {"plugin", "status", "message", "timestamp"}
        return said

    def refused(self, method: str, path: str, status: int, **parts: Any) -> dict[str, Any]:
        answer = self.ask(method, path, **parts)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        said: dict[str, Any] = answer.json()
        assert said["status"] == "error"
        assert said["message"]
        assert said["request_id"] == answer.headers["x-request-id"]
        return said
