"""`/admin/api/plugin-binaries`: fields, words and statuses of Odin, on the real admin app."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests import go_binaries

from plugbay.admin import AdminOptions

from ..artifacts.binaries import GOSO, for_machine
from ..artifacts.wheels import wheel_bytes
from .conftest import BASE

if TYPE_CHECKING:
    from httpx import Response

    from .conftest import World

API = "/admin/api/plugin-binaries"
FIELDS = {
    "id",
    "name",
    "version",
    "description",
    "file_id",
    "filename",
    "file_size",
    "file_hash",
    "enabled",
    "config",
    "go_version",
    "go_os",
    "go_arch",
    "author",
    "uploaded_by",
    "uploaded_at",
    "updated_at",
    "usage_count",
    "status",
    "metadata",
}
OWN = {"kind", "plugin"}


@pytest.fixture
def options() -> AdminOptions:
    return AdminOptions(
        requests_per_minute=100_000, uploads_per_minute=1000, max_upload=3 << 20, heartbeat=0.05
    )


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


@pytest.fixture
def odin(world: World) -> Odin:
    return Odin(world)


@pytest.fixture(scope="session")
def plugin() -> bytes:
    return go_binaries.plugin().read_bytes()


def versions(data: bytes) -> bytes:
    """Other bytes of the same plugin: the linker does not mind what is behind the end."""
    return data + b"\0"


def test_an_upload_gives_a_record_with_odins_fields(odin: Odin, plugin: bytes) -> None:
    made = odin.upload(
        plugin,
        description="logs requests",
        author="Ann",
        priority="50",
        phase="post-routing",
        routes="/*",
        tags="log, http",
        config='{"level": "debug"}',
    )

    assert set(made) == FIELDS | OWN
    assert len(made["id"]) == 24
    assert made["name"] == "Request Logger"
    assert made["plugin"] == "request-logger"
    assert made["file_size"] == len(plugin)
    assert made["file_hash"].startswith(made["id"])
    assert (made["status"], made["enabled"], made["usage_count"]) == ("uploaded", False, 0)
    assert made["config"] == {"level": "debug"}
    assert made["go_version"].startswith("go1.")
    assert (made["go_os"], made["go_arch"], made["kind"]) == ("linux", "amd64", "shared-object")
    assert made["metadata"] == {
        "tags": ["log", "http"],
        "routes": ["/*"],
        "priority": 50,
        "phase": "post-routing",
    }
    assert made["uploaded_at"].endswith("Z")
    one = odin.ask("GET", f"/{made['id']}")
    assert one.json() == {"success": True, "plugin": made}
    assert one.headers["etag"]
    artifact = odin.world.artifacts.get(made["file_hash"])
    assert artifact.manifest is not None
    assert artifact.manifest.order.priority == 50


def test_defaults(odin: Odin, plugin: bytes) -> None:
    made = odin.upload(plugin, priority="high")
    assert made["metadata"] == {
        "tags": [],
        "routes": ["/*"],
        "priority": 100,
        "phase": "pre-routing",
    }
    assert (made["description"], made["author"], made["config"]) == ("", "", {})


def test_what_a_form_lacks(odin: Odin, plugin: bytes) -> None:
    none = odin.ask("POST", "/upload", data={"name": "a"}, files={"x": (None, b"1")})
    assert odin.error(none, 400) == "No file provided"
    assert odin.error(odin.ask("POST", "/upload", content=b"x"), 400) == "No file provided"
    required = "Name and version are required"
    assert odin.error(odin.send(plugin, name=""), 400) == required
    assert odin.error(odin.send(plugin, version=" "), 400) == required
    assert odin.error(odin.send(b"", "good.so"), 400) == "file is empty"
    only = "only .so files are allowed"
    assert odin.error(odin.send(b"text", "plugin.txt"), 400) == only
    large = "file size exceeds maximum allowed size of 3 MB"
    assert odin.error(odin.send(plugin + bytes(1 << 20), "good.so"), 400) == large
    assert odin.world.artifacts.list() == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"priority": "-1"}, "priority must be between 0 and 1000"),
        ({"priority": "1001"}, "priority must be between 0 and 1000"),
        ({"phase": "later"}, "phase must be one of pre-routing, post-routing, pre-response"),
        ({"config": "{"}, "config is no JSON object"),
        ({"config": "[1]"}, "config is no JSON object"),
        ({"version": "one"}, "'one' is no version"),
        ({"name": "***"}, "has no letter"),
        ({"name": "x" * 101}, "at most 100"),
        ({"provides": "magic"}, "provides must be some of"),
        ({"entry": "Missing"}, "the plugin exports no Missing"),
    ],
)
def test_wrong_fields(odin: Odin, plugin: bytes, fields: dict[str, str], said: str) -> None:
    error = odin.error(odin.send(plugin, **fields), 400)
    assert error.startswith("Plugin validation failed: ")
    assert said in error
    assert odin.ask("GET").json()["count"] == 0


def test_a_refusal_names_everything_and_keeps_nothing(odin: Odin, plugin: bytes) -> None:
    answer = odin.send(for_machine(plugin, 183), "renamed.so", entry="Missing")
    error = odin.error(answer, 400)
    assert error.startswith("Plugin validation failed: made for another machine")
    assert "exports no Missing" in error
    findings = answer.json()["findings"]
    assert {finding["layer"] for finding in findings} == {"elf", "symbols"}
    assert all(finding["remedy"] for finding in findings)
    program = odin.send(go_binaries.program().read_bytes(), "program.so")
    assert "an executable program under the name" in odin.error(program, 400)
    assert odin.ask("GET").json() == {"success": True, "plugins": [], "count": 0}


def test_web_assembly_is_refused_with_a_clear_word(odin: Odin) -> None:
    error = odin.error(odin.send(b"\0asm\1\0\0\0", "x.wasm"), 400)
    assert "WebAssembly modules cannot be run by this gateway" in error


def test_programs_and_wheels_are_taken_too(odin: Odin) -> None:
    program = odin.upload(go_binaries.program().read_bytes(), "program", name="a program")
    assert (program["kind"], program["plugin"]) == ("executable", "a-program")
    name = "plugbay_hello-1.0.0-py3-none-any.whl"
    wheel = odin.upload(wheel_bytes(), name, name="Hello", version="1.0")
    assert (wheel["kind"], wheel["plugin"], wheel["name"]) == ("wheel", "hello", "Hello")
    other = odin.send(wheel_bytes(version="2.0.0"), name.replace("1.0.0", "2.0.0"), name="Bye")
    assert "expected name hello and version 2.0.0" in odin.error(other, 400)
    assert odin.ask("GET").json()["count"] == 2


def test_duplicates(odin: Odin, plugin: bytes) -> None:
    odin.upload(plugin)
    same = "Plugin Request Logger version 1.0.0 already exists"
    assert odin.error(odin.send(plugin), 409).startswith(same)
    assert odin.error(odin.send(plugin, version="2.0.0"), 409).startswith(
        "Plugin Request Logger version 2.0.0 already exists: these bytes"
    )
    assert odin.error(odin.send(versions(plugin)), 409) == same
    odin.upload(versions(plugin), version="2.0.0")
    spelled = odin.send(versions(versions(plugin)), name="request-logger", version="3.0.0")
    assert "choose another name" in odin.error(spelled, 409)
    assert odin.ask("GET").json()["count"] == 2


def test_enable_disable_and_the_numbers(odin: Odin) -> None:
    made = odin.upload(go_binaries.program().read_bytes(), "program", config='{"fail": ""}')
    path = f"/{made['id']}"

    done = odin.ask("POST", f"{path}/enable")
    assert done.status_code == 200, done.text
    assert done.json()["success"] is True
    assert done.json()["message"] == "Plugin enabled successfully"
    record = done.json()["plugin"]
    assert (record["status"], record["enabled"], record["usage_count"]) == ("active", True, 1)
    assert record["last_enabled_at"].endswith("Z")
    again = odin.ask("POST", f"{path}/enable").json()
    assert again["message"] == "Plugin is already enabled"
    spec = odin.world.cluster.coordinator.desired.plugins["request-logger"]
    assert spec.config == {"fail": ""}
    assert odin.ask("GET", "/stats").json() == {
        "success": True,
        "total_plugins": 1,
        "enabled": 1,
        "disabled": 0,
        "status_counts": {"active": 1},
    }

    stopped = odin.ask("POST", f"{path}/disable").json()
    assert stopped["message"] == "Plugin disabled successfully"
    assert stopped["plugin"]["status"] == "disabled"
    assert odin.ask("POST", f"{path}/disable").json()["message"] == "Plugin is already disabled"
    assert odin.ask("GET", "/stats").json()["status_counts"] == {"disabled": 1}


def test_a_plugin_that_does_not_load_is_an_error_in_the_record(odin: Odin) -> None:
    config = json.dumps({"fail": "load"})
    made = odin.upload(go_binaries.program().read_bytes(), "program", config=config)
    path = f"/{made['id']}"

    error = odin.error(odin.ask("POST", f"{path}/enable"), 500)
    assert error.startswith("Failed to load plugin: ")
    record = odin.ask("GET", path).json()["plugin"]
    assert (record["status"], record["enabled"]) == ("error", False)
    assert record["error_message"]
    assert error.endswith(record["error_message"])

    fixed = odin.ask("PUT", f"{path}/config", json={"config": {"fail": ""}})
    assert fixed.json()["message"] == "Configuration updated successfully"
    record = odin.ask("POST", f"{path}/enable").json()["plugin"]
    assert record["status"] == "active"
    assert "error_message" not in record


def test_versions_side_by_side_and_back_in_one_call(odin: Odin) -> None:
    data = go_binaries.program().read_bytes()
    first = odin.upload(data, "program")
    second = odin.upload(versions(data), "program", version="2.0.0")
    assert odin.ask("POST", f"/{first['id']}/enable").status_code == 200
    assert odin.ask("POST", f"/{second['id']}/enable").status_code == 200
    assert odin.ask("GET", f"/{first['id']}").json()["plugin"]["status"] == "disabled"

    back = odin.ask("POST", f"/{second['id']}/rollback", json={"version": "1.0.0"})
    assert back.json()["message"] == "Plugin rolled back to version 1.0.0 successfully"
    assert back.json()["plugin"]["id"] == first["id"]
    assert back.json()["plugin"]["enabled"] is True
    again = odin.ask("POST", f"/{first['id']}/rollback")
    assert again.json()["plugin"]["id"] == second["id"]
    missing = odin.ask("POST", f"/{first['id']}/rollback", json={"version": "9"})
    assert odin.error(missing, 404) == "Plugin Request Logger has no version 9"
    wrong = odin.ask("POST", f"/{first['id']}/rollback", json={"version": 9})
    assert odin.error(wrong, 400).startswith("Invalid request body")


def test_a_version_can_be_pinned(odin: Odin) -> None:
    data = go_binaries.program().read_bytes()
    first = odin.upload(data, "program")
    second = odin.upload(versions(data), "program", version="2.0.0")
    early = odin.ask("POST", f"/{first['id']}/pin")
    assert odin.error(early, 409) == "Plugin Request Logger version 1.0.0 is not enabled"
    odin.ask("POST", f"/{first['id']}/enable")
    done = odin.ask("POST", f"/{first['id']}/pin", json={"reason": "frozen"})
    assert done.json()["message"] == "Plugin pinned successfully"
    held = done.json()["plugin"]["pinned"]
    assert (held["by"], held["reason"]) == ("admin", "frozen")
    refused = odin.ask("POST", f"/{second['id']}/enable")
    assert "is pinned to 1.0.0 by admin" in odin.error(refused, 409)
    done = odin.ask("POST", f"/{first['id']}/unpin")
    assert done.json()["message"] == "Plugin unpinned successfully"
    assert "pinned" not in done.json()["plugin"]
    assert odin.ask("POST", f"/{second['id']}/enable").status_code == 200


def test_the_config_of_a_plugin_that_runs(odin: Odin) -> None:
    made = odin.upload(go_binaries.program().read_bytes(), "program")
    path = f"/{made['id']}"
    odin.ask("POST", f"{path}/enable")
    tag = odin.ask("GET", path).headers["etag"]

    done = odin.ask(
        "PUT", f"{path}/config", json={"config": {"greeting": "hi"}}, headers={"if-match": tag}
    )
    assert done.status_code == 200, done.text
    assert done.json()["plugin"]["config"] == {"greeting": "hi"}
    spec = odin.world.cluster.coordinator.desired.plugins["request-logger"]
    assert spec.config == {"greeting": "hi"}
    late = odin.ask("PUT", f"{path}/config", json={"config": {}}, headers={"if-match": tag})
    assert odin.error(late, 412)
    wrong = odin.ask("PUT", f"{path}/config", json={"config": {"unknown": 1}})
    assert "configuration is not valid" in odin.error(wrong, 400)
    assert wrong.json()["findings"][0]["pointer"]
    assert odin.error(odin.ask("PUT", f"{path}/config", json={}), 400)
    assert odin.error(odin.ask("PUT", f"{path}/config", content=b"{"), 400)
    failing = odin.ask("PUT", f"{path}/config", json={"config": {"fail": "load"}})
    assert odin.error(failing, 500).startswith("Failed to load plugin: ")
    assert odin.ask("GET", path).json()["plugin"]["config"] == {"greeting": "hi"}


def test_delete(odin: Odin) -> None:
    made = odin.upload(go_binaries.program().read_bytes(), "program")
    path = f"/{made['id']}"
    odin.ask("POST", f"{path}/enable")

    gone = odin.ask("DELETE", path)
    assert gone.json() == {"success": True, "message": "Plugin deleted successfully"}
    assert odin.error(odin.ask("GET", path), 404) == "Plugin not found"
    assert "request-logger" not in odin.world.cluster.coordinator.desired.plugins
    assert odin.world.artifacts.list() == []
    assert odin.ask("GET", "/stats").json()["total_plugins"] == 0


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
