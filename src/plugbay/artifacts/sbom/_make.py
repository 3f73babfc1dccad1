"""A CycloneDX 1.6 document from an artifact's record: pure, but for the environment handed in."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from plugbay import __version__
from plugbay.artifacts.sbom import _purl as purl
from plugbay.artifacts.sbom._go import go_parts
from plugbay.artifacts.sbom._python import python_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.artifacts._artifact import Artifact
    from plugbay.artifacts.sbom._environment import Installed
    from plugbay.artifacts.sbom._parts import Parts

SPEC = "1.6"
_TYPES = {"wheel": "library", "executable": "application", "shared-object": "library"}


def make_bill(
    artifact: Artifact, installed: Installed, ignored: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the bill of materials of a validated artifact (ECMA-424, CycloneDX 1.6).

    `installed` is asked for what the gateway provides. `ignored` are documents that the artifact
    carries and that could not be taken, with the reason; the bill says so.
    """
    subject = _subject(artifact)
    parts = _parts(artifact, subject["bom-ref"], installed)
    uploaded = datetime.fromtimestamp(artifact.uploaded_at, UTC).replace(microsecond=0)
    made: dict[str, Any] = {
        "metadata": {
            "timestamp": uploaded.isoformat().replace("+00:00", "Z"),
            "lifecycles": [{"phase": "post-build"}],
            "tools": {
                "components": [{"type": "application", "name": "plugbay", "version": __version__}]
            },
            "component": subject,
            "properties": [{"name": "plugbay:sbom:ignored", "value": why} for why in ignored],
        },
        "components": parts.components,
        "dependencies": parts.dependencies(),
    }
    if not ignored:
        del made["metadata"]["properties"]
    told = hashlib.sha256(msgspec.json.encode(made, order="deterministic")).hexdigest()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        # The same for the same content: it changes when what the gateway provides changes.
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'plugbay:sbom:{told}')}",
        "version": 1,
        **made,
    }


def _parts(artifact: Artifact, ref: str, installed: Installed) -> Parts:
    if artifact.go is not None:
        return go_parts(artifact.go, ref)
    return python_parts(artifact, ref, installed)


def _subject(artifact: Artifact) -> dict[str, Any]:
    """The artifact as a component."""
    wheel, go = artifact.metadata, artifact.go
    name, version = artifact.plugin, artifact.version
    component: dict[str, Any] = {"type": _TYPES.get(artifact.kind, "library")}
    if wheel is not None:
        name, version = wheel.name, wheel.version
        component["purl"] = purl.pypi(name, version)
    elif go is not None and go.module is not None and go.module.path:
        # What Go calls a version it built from a work tree is no version.
        built = "" if go.module.version == "(devel)" else go.module.version
        component["purl"] = purl.golang(go.module.path, built)
    # By digest: two artifacts of one purl are two things.
    component["bom-ref"] = f"artifact:sha256:{artifact.digest}"
    component |= {"name": name, "version": version}
    component["hashes"] = [{"alg": "SHA-256", "content": artifact.digest}]
    if wheel is not None:
        component |= _about(wheel.summary, wheel.author, wheel.license)
    said = {"plugbay:plugin": artifact.plugin, "plugbay:version": artifact.version}
    said |= {"plugbay:kind": artifact.kind, "plugbay:filename": artifact.filename}
    component["properties"] = [{"name": key, "value": value} for key, value in said.items()]
    return component


def _about(summary: str, author: str, licence: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if summary:
        found["description"] = summary
    if author:
        found["authors"] = [{"name": author}]
    if licence:
        try:
            found["licenses"] = [{"expression": str(canonicalize_license_expression(licence))}]
        except InvalidLicenseExpression:
            found["licenses"] = [{"license": {"name": licence}}]
    return found
