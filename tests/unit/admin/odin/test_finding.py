"""Which plugins are found, by what and by whom; and what else reaches the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import go_binaries

from ...artifacts.binaries import GOSO
from ..conftest import BASE
from .client import API, versions

if TYPE_CHECKING:
    from .client import Odin


def test_ids(odin: Odin) -> None:
    for id in ("1", "x" * 24, "0" * 23, "0" * 25):
        assert odin.error(odin.ask("GET", f"/{id}"), 400) == "Invalid plugin ID"
    for method, path in (("GET", ""), ("POST", "/enable"), ("POST", "/disable"), ("DELETE", "")):
        answer = odin.ask(method, f"/{'0' * 24}{path}")
        assert odin.error(answer, 404) == "Plugin not found"


def test_filters(odin: Odin, plugin: bytes) -> None:
    first = odin.upload(plugin, name="Alpha")
    second = odin.upload(go_binaries.program().read_bytes(), "program", name="beta")
    odin.ask("POST", f"/{second['id']}/enable")

    def names(query: str, path: str = "") -> list[str]:
        answer = odin.ask("GET", f"{path}?{query}")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["count"] == len(found["plugins"])
        return [one["name"] for one in found["plugins"]]

    assert names("") == names("", "/list")
    assert names("enabled=true") == ["beta"]
    assert names("enabled=false") == ["Alpha"]
    assert names("status=active") == ["beta"]
    assert names("status=uploaded", "/list") == ["Alpha"]
    assert names("name=^AL") == ["Alpha"]
    assert names("name=a$&enabled=true") == ["beta"]
    assert names("name=nothing") == []
    assert first["name"] == "Alpha"
    for wrong in ("(", "(a%2B)%2B$", "a*b*c*d*e*", "(a)\\1", "x" * 101, "(?i)a"):
        answer = odin.ask("GET", f"?name={wrong}")
        assert odin.error(answer, 400).startswith("Invalid name filter")


def test_routes_are_found_by_name_or_path(odin: Odin) -> None:
    odin.world.change(
        "PUT", "/upstreams/u", json={"name": "u", "targets": [{"address": "127.0.0.1:9"}]}
    )
    for name, path in (("api", "/api"), ("users", "/api/users"), ("other", "/other")):
        odin.world.change(
            "PUT", f"/routes/{name}", json={"name": name, "path": path, "upstream": "u"}
        )
    data = go_binaries.program().read_bytes()
    made = odin.upload(data, "program", routes="/api/*")
    assert odin.ask("POST", f"/{made['id']}/enable").status_code == 200
    desired = odin.world.cluster.coordinator.desired
    assert set(desired.plugins["request-logger"].routes) == {"api", "users"}

    by_name = odin.upload(versions(data), "program", version="2", routes="other,/api/users")
    odin.ask("POST", f"/{by_name['id']}/enable")
    desired = odin.world.cluster.coordinator.desired
    assert desired.plugins["request-logger"].routes == ("other", "users")

    nowhere = odin.upload(versions(data) + b"\0", "program", version="3", routes="/no")
    error = odin.error(odin.ask("POST", f"/{nowhere['id']}/enable"), 500)
    assert error == "Failed to load plugin: no route matches '/no'"


def test_what_came_by_the_other_api_is_there_too(odin: Odin, plugin: bytes) -> None:
    digest = odin.world.upload()
    (record,) = odin.ask("GET").json()["plugins"]
    assert (record["id"], record["name"], record["status"]) == (digest[:24], "hello", "uploaded")
    done = odin.ask("POST", f"/{record['id']}/enable").json()
    assert done["plugin"]["status"] == "active"
    odin.world.change("POST", "/plugins/hello/disable")
    assert odin.ask("GET", f"/{record['id']}").json()["plugin"]["status"] == "disabled"
    made = odin.world.ask(
        "POST", "/artifacts", files={"file": ("good.so", plugin)}, data={"manifest": GOSO.text}
    )
    assert made.status_code == 201
    assert odin.ask("GET", "/stats").json()["total_plugins"] == 2


def test_who_may(odin: Odin, plugin: bytes) -> None:
    made = odin.upload(plugin)
    path = f"{API}/{made['id']}"
    client, world = odin.world.client, odin.world
    assert client.get(API).status_code == 401
    reader = world.token("read")
    assert client.get(path, headers=reader).status_code == 200
    for method, tail in (
        ("POST", "/enable"),
        ("POST", "/disable"),
        ("POST", "/rollback"),
        ("PUT", "/config"),
        ("DELETE", ""),
    ):
        refused = client.request(method, f"{path}{tail}", headers=reader)
        assert refused.status_code == 403
        assert "lacks the permission" in refused.json()["error"]
    writer = world.token("artifacts:write")
    assert client.post(f"{path}/enable", headers=writer).status_code == 403
    assert client.post(f"{path}/enable", headers=odin.headers).status_code == 200
    assert client.delete(path, headers=writer).status_code == 403
    assert client.post(f"{path}/disable", headers=odin.headers).status_code == 200


def test_another_host_name_is_refused_as_everywhere(odin: Odin) -> None:
    answer = odin.world.client.get(f"{BASE}{API}", headers={**odin.headers, "host": "evil.test"})
    assert answer.status_code == 400


def test_the_document_has_it(odin: Odin) -> None:
    document = odin.world.client.get("/admin/api/v1/openapi.json", headers=odin.headers).json()
    paths = {path for path in document["paths"] if path.startswith(API)}
    assert paths == {
        API,
        f"{API}/list",
        f"{API}/stats",
        f"{API}/upload",
        f"{API}/{{id}}",
        f"{API}/{{id}}/config",
        f"{API}/{{id}}/disable",
        f"{API}/{{id}}/enable",
        f"{API}/{{id}}/pin",
        f"{API}/{{id}}/rollback",
        f"{API}/{{id}}/unpin",
    }
