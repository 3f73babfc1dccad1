"""What the CycloneDX 1.6 specification asks of a document, as far as ours use it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

KEYS = {
    "$schema",
    "bomFormat",
    "specVersion",
    "serialNumber",
    "version",
    "metadata",
    "components",
    "dependencies",
}
COMPONENT = {
    "type",
    "bom-ref",
    "name",
    "version",
    "purl",
    "hashes",
    "properties",
    "scope",
    "description",
    "authors",
    "licenses",
}
TYPES = {"application", "framework", "library", "container", "platform", "file"}
SERIAL = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def check(document: dict[str, Any]) -> None:
    """Fail at the first thing that the specification does not allow, or that ours do not have."""
    judge = JsonStrictValidator(SchemaVersion.V1_6)  # the official schema, from the library
    assert judge.validate_str(json.dumps(document)) is None
    assert document.keys() <= KEYS
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert SERIAL.fullmatch(document["serialNumber"])
    assert document["version"] >= 1
    datetime.fromisoformat(document["metadata"]["timestamp"])
    components = [document["metadata"]["component"], *document["components"]]
    for component in components:
        check_component(component)
    refs = [component["bom-ref"] for component in components]
    assert len(refs) == len(set(refs))
    graph = document["dependencies"]
    assert len({node["ref"] for node in graph}) == len(graph)
    for node in graph:
        assert node["ref"] in refs
        assert set(node["dependsOn"]) <= set(refs)
        assert len(node["dependsOn"]) == len(set(node["dependsOn"]))


def check_component(component: dict[str, Any]) -> None:
    assert component.keys() <= COMPONENT
    assert component["type"] in TYPES
    assert component["name"]
    assert component.get("scope", "required") in {"required", "optional", "excluded"}
    for one in component.get("hashes", ()):
        assert one["alg"] == "SHA-256"
        assert SHA256.fullmatch(one["content"])
    for one in component.get("licenses", ()):
        assert ("expression" in one) != ("license" in one)
    for one in component.get("properties", ()):
        assert one.keys() == {"name", "value"}
        assert isinstance(one["value"], str)
