"""Odin's API on a whole gateway with a real Go plugin: sign in, upload, serve, swap, go back."""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway
from bench._live import get

from unit.runtimes.goso.binaries import plugin, runners

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]  # the first run builds the plugins

API = "/admin/api/plugin-binaries"
BODIES = "request-filter,response-filter,body-filter"


def binary(version: str) -> Path:
    return plugin("behave", f"-ldflags=-X main.version={version}")


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    runner = asyncio.run(runners().runner_for(binary("1.0.0")))
    with Gateway(workers=1) as gateway:
        # That a runner is built on demand is tested elsewhere: here it would be the same again.
        shutil.copytree(runner.parent, gateway.data / "runners" / runner.parent.name)
        yield gateway


class Client:
    """Any client of Odin's: it signs in, sends forms and reads JSON."""

    def __init__(self, gateway: Gateway) -> None:
        self._address = gateway.admin_url.removeprefix("http://")
        self._headers: dict[str, str] = {}
        password = (gateway.data / "first-password").read_text().strip()
        said = {"username": "admin", "password": password}
        status, answer = self.send("POST", "/admin/api/login", said)
        assert status == 200, answer
        self._headers = {"authorization": f"Bearer {answer['token']}"}

    def send(self, method: str, path: str, content: object = None) -> tuple[int, Any]:
        body = None if content is None else json.dumps(content).encode()
        return self._ask(method, path, body, "application/json")

    def upload(self, path: Path, **fields: str) -> tuple[int, Any]:
        mark = secrets.token_hex(8)
        parts = [
            f'--{mark}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        head = f'--{mark}\r\ncontent-disposition: form-data; name="file"; filename="{path.name}"'
        parts += [f"{head}\r\n\r\n".encode(), path.read_bytes(), f"\r\n--{mark}--\r\n".encode()]
        kind = f"multipart/form-data; boundary={mark}"
        return self._ask("POST", f"{API}/upload", b"".join(parts), kind)

    def _ask(self, method: str, path: str, body: bytes | None, kind: str) -> tuple[int, Any]:
        with closing(http.client.HTTPConnection(self._address, timeout=300)) as connection:
            connection.request(method, path, body, {**self._headers, "content-type": kind})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())


def test_the_way_of_a_plugin(gateway: Gateway) -> None:
    client, ids = Client(gateway), list[str]()
    for version, stamp in (("1.0.0", "first"), ("2.0.0", "second")):
        status, made = client.upload(
            binary(version),
            name="Gopher",
            version=version,
            config=json.dumps({"stamp": stamp}),
            phase="post-routing",
            provides=BODIES,
        )
        assert status == 201, made
        ids.append(made["plugin"]["id"])
    first, second = ids
    status, again = client.upload(binary("1.0.0"), name="Gopher", version="1.0.0", provides=BODIES)
    assert (status, "already exists" in again["error"]) == (409, True)

    status, done = client.send("POST", f"{API}/{first}/enable")
    assert status == 200, done
    assert done["message"] == "Plugin enabled successfully"
    headers = get(gateway.address).headers
    assert (headers["x-stamp"], headers["x-version"]) == ("first", "1.0.0")

    assert client.send("POST", f"{API}/{second}/enable")[0] == 200
    headers = get(gateway.address).headers
    assert (headers["x-stamp"], headers["x-version"]) == ("second", "2.0.0")
    records = {one["id"]: one for one in client.send("GET", f"{API}/list")[1]["plugins"]}
    assert (records[first]["status"], records[second]["status"]) == ("disabled", "active")

    status, done = client.send("PUT", f"{API}/{second}/config", {"config": {"stamp": "third"}})
    assert (status, done["message"]) == (200, "Configuration updated successfully")
    assert get(gateway.address).headers["x-stamp"] == "third"

    status, done = client.send("POST", f"{API}/{second}/rollback", {"version": "1.0.0"})
    assert (status, done["plugin"]["id"]) == (200, first)
    headers = get(gateway.address).headers
    assert (headers["x-stamp"], headers["x-version"]) == ("first", "1.0.0")

    assert client.send("POST", f"{API}/{first}/disable")[0] == 200
    assert "x-stamp" not in get(gateway.address).headers
    for id in (first, second):
        assert client.send("DELETE", f"{API}/{id}") == (
            200,
            {"success": True, "message": "Plugin deleted successfully"},
        )
    assert client.send("GET", f"{API}/stats")[1]["total_plugins"] == 0


def test_a_damaged_plugin_is_refused_with_all_that_is_wrong(gateway: Gateway) -> None:
    client, broken = Client(gateway), gateway.folder / "broken.so"
    data = bytearray(binary("1.0.0").read_bytes())
    data[18:20] = b"\xb7\0"  # e_machine: AArch64
    broken.write_bytes(data)
    status, answer = client.upload(broken, name="broken", version="1", entry="Missing")
    assert status == 400
    assert answer["error"].startswith("Plugin validation failed: made for another machine")
    assert {finding["layer"] for finding in answer["findings"]} >= {"elf", "symbols"}
