"""A client of `/admin/api/plugin-binaries`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from httpx import Response

    from ..conftest import World

API = "/admin/api/plugin-binaries"


class Odin:
    """A client of the API."""

    def __init__(self, world: World) -> None:
        self.world, self.headers = world, world.token()

    def ask(self, method: str, path: str = "", **parts: Any) -> Response:
        headers = {**self.headers, **parts.pop("headers", {})}
        return self.world.client.request(method, f"{API}{path}", headers=headers, **parts)

    def send(self, data: bytes, filename: str = "good.so", **fields: str) -> Response:
        told = {"name": "Request Logger", "version": "1.0.0", **fields}
        kept = {name: value for name, value in told.items() if value is not None}
        return self.ask("POST", "/upload", files={"file": (filename, data)}, data=kept)

    def upload(self, data: bytes, filename: str = "good.so", **fields: str) -> dict[str, Any]:
        answer = self.send(data, filename, **fields)
        assert answer.status_code == 201, answer.text
        assert answer.json()["success"] is True
        plugin: dict[str, Any] = answer.json()["plugin"]
        return plugin

    def error(self, answer: Response, status: int) -> str:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"].startswith("application/json")
        return str(answer.json()["error"])


def versions(data: bytes) -> bytes:
    """Other bytes of the same plugin: the linker does not mind what is behind the end."""
    return data + b"\0"
