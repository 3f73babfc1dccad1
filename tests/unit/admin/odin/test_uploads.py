"""What an upload says and lacks: fields, words and statuses of Odin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests import go_binaries

from ...artifacts.binaries import for_machine
from ...artifacts.wheels import wheel_bytes
from .client import versions

if TYPE_CHECKING:
    from .client import Odin


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
OWN = {"kind", "plugin"}


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
