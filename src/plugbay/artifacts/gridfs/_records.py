"""Odin's record of a plugin, field by field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from plugbay.artifacts._backing import Stranger
from plugbay.artifacts._digest import is_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.artifacts._artifact import Artifact

OURS = "plugbay"
"""The key in `metadata` that marks what this gateway has put there."""


def record_of(artifact: Artifact, file_id: object) -> dict[str, Any]:
    """Return the document for the collection `plugins`.

    What runs, and with which configuration, is desired state and not a fact about bytes: here
    `enabled`, `config` and `status` stay as an upload leaves them.
    """
    manifest, build = artifact.manifest, artifact.go
    settings = build.settings if build else {}
    order = manifest.order if manifest else None
    at = datetime.fromtimestamp(artifact.uploaded_at, UTC)
    return {
        "name": artifact.plugin,
        "version": artifact.version,
        "description": manifest.summary if manifest else "",
        "file_id": file_id,
        "filename": artifact.filename,
        "file_size": artifact.size,
        "file_hash": artifact.digest,
        "enabled": False,
        "config": {},
        "go_version": build.version if build else "",
        "go_os": settings.get("GOOS", ""),
        "go_arch": settings.get("GOARCH", ""),
        "author": artifact.metadata.author if artifact.metadata else "",
        "uploaded_by": artifact.uploaded_by,
        "uploaded_at": at,
        "updated_at": at,
        "usage_count": 0,
        "status": "uploaded",
        "metadata": {
            "tags": [],
            "routes": [],
            "priority": order.priority if order else 0,
            "phase": order.phase if order else "",
            OURS: {"kind": artifact.kind},
        },
    }


def stranger_of(record: Mapping[str, Any]) -> Stranger | None:
    """Read a record of Odin; None if it is one of ours, or lacks what is needed."""
    metadata: Mapping[str, Any] = record.get("metadata") or {}
    digest = str(record.get("file_hash", "")).lower()
    if OURS in metadata or not is_digest(digest) or not record.get("name"):
        return None
    return Stranger(
        digest=digest,
        filename=str(record.get("filename") or f"{record['name']}.so"),
        name=str(record["name"]),
        version=str(record.get("version", "")),
        description=str(record.get("description", "")),
        author=str(record.get("author", "")),
        priority=int(metadata.get("priority") or 100),
        phase=str(metadata.get("phase") or "pre-routing"),
        routes=tuple(str(route) for route in metadata.get("routes") or ()),
        uploaded_by=str(record.get("uploaded_by", "")),
    )
