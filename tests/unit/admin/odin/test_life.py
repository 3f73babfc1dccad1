"""Versions that are enabled, swapped, pinned, configured and deleted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests import go_binaries

from .client import versions

if TYPE_CHECKING:
    from .client import Odin


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
