"""The record of a plugin binary, as Odin shows it."""

# No postponed annotations here: msgspec reads them, so they must be real.

import datetime
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from plugbay.admin._odin_notes import Note
from plugbay.admin._status import PluginView
from plugbay.artifacts import Artifact, Kind
from plugbay.kernel import ArtifactState

Status = Literal["uploaded", "active", "disabled", "error"]
ID = 24
"""How many digits of its digest make an artifact's id: as many as an ObjectID has."""


class OdinMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when the plugin runs. A lower priority runs first."""

    tags: list[str]
    routes: list[str]
    priority: int
    phase: str


class OdinPin(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the plugin at this version, since when, and why."""

    by: str
    at: str
    reason: str


class OdinPlugin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A version of a plugin. `kind`, `pinned` and `plugin`, the id of its slot, are more than Odin
    has."""

    id: str
    name: str
    version: str
    description: str
    file_id: str
    filename: str
    file_size: int
    file_hash: str
    enabled: bool
    config: dict[str, Any]
    go_version: str
    go_os: str
    go_arch: str
    author: str
    uploaded_by: str
    uploaded_at: str
    updated_at: str
    usage_count: int
    status: Status
    metadata: OdinMetadata
    kind: Kind
    plugin: str
    last_enabled_at: str | msgspec.UnsetType = msgspec.UNSET
    error_message: str | msgspec.UnsetType = msgspec.UNSET
    pinned: OdinPin | msgspec.UnsetType = msgspec.UNSET


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one version: its bytes, its note, and its plugin's slot."""

    artifact: Artifact
    note: Note | None
    slot: PluginView | None

    @property
    def running(self) -> bool:
        """Whether the slot is this version's, enabled or not."""
        return self.slot is not None and self.slot.desired.digest == self.artifact.digest

    @property
    def enabled(self) -> bool:
        """Whether it is wanted to run."""
        return self.running and self.slot is not None and self.slot.desired.enabled

    @property
    def name(self) -> str:
        """What its uploader called it; the plugin's id if it came another way."""
        return self.note.name if self.note else self.artifact.plugin

    @property
    def version(self) -> str:
        """The version, spelled as its uploader did."""
        return self.note.version if self.note else self.artifact.version

    @property
    def config(self) -> dict[str, Any]:
        """What it runs with, or would."""
        if self.running and self.slot is not None:
            return self.slot.desired.config
        return (self.note.config if self.note else None) or {}

    @property
    def status(self) -> tuple[Status, str]:
        """Its status, and why it is an error."""
        if self.artifact.state is ArtifactState.REVOKED:
            return "error", "the artifact was revoked"
        if self.enabled and self.slot is not None:
            serving = {c.type: c for c in self.slot.conditions}["Serving"]
            if serving.status == "False":
                return "error", serving.message
            return "active", ""
        if self.note is not None and self.note.error_message:
            return "error", self.note.error_message
        used = self.running or (self.note is not None and self.note.last_enabled_at is not None)
        return ("disabled" if used else "uploaded"), ""

    def shown(self) -> OdinPlugin:
        """Return the record."""
        artifact, note, manifest = self.artifact, self.note, self.artifact.manifest
        status, error = self.status
        build = artifact.go
        since = note.last_enabled_at if note else None
        return OdinPlugin(
            id=artifact.digest[:ID],
            name=self.name,
            version=self.version,
            description=note.description if note else (manifest.summary if manifest else ""),
            file_id=artifact.digest[:ID],
            filename=artifact.filename,
            file_size=artifact.size,
            file_hash=artifact.digest,
            enabled=self.enabled,
            config=self.config,
            go_version=build.version if build else "",
            go_os=build.os if build else "",
            go_arch=build.arch if build else "",
            author=self._author(),
            uploaded_by=artifact.uploaded_by,
            uploaded_at=moment(artifact.uploaded_at),
            updated_at=moment(max(artifact.uploaded_at, note.updated_at if note else 0)),
            usage_count=note.usage_count if note else 0,
            status=status,
            metadata=self._metadata(),
            kind=artifact.kind,
            plugin=artifact.plugin,
            last_enabled_at=msgspec.UNSET if since is None else moment(since),
            error_message=error or msgspec.UNSET,
            pinned=self._pinned(),
        )

    def _pinned(self) -> OdinPin | msgspec.UnsetType:
        held = self.slot.desired.pin if self.running and self.slot is not None else None
        if held is None:
            return msgspec.UNSET
        return OdinPin(by=held.by, at=moment(held.at), reason=held.why)

    def _author(self) -> str:
        if self.note is not None and self.note.author:
            return self.note.author
        return self.artifact.metadata.author if self.artifact.metadata else ""

    def _metadata(self) -> OdinMetadata:
        manifest = self.artifact.manifest
        routes = list(self.note.routes) if self.note else self._slot_routes()
        return OdinMetadata(
            tags=list(self.note.tags) if self.note else [],
            routes=routes,
            priority=manifest.order.priority if manifest else 0,
            phase=manifest.order.phase if manifest else "",
        )

    def _slot_routes(self) -> list[str]:
        named = self.slot.desired.routes if self.running and self.slot is not None else ()
        return list(named) or ["/*"]


def counted(known: "list[Known]") -> Mapping[str, int]:
    """Return how many records have each status that any has."""
    counts: dict[str, int] = {}
    for one in known:
        status, _ = one.status
        counts[status] = counts.get(status, 0) + 1
    return counts


def moment(seconds: float) -> str:
    """Return a time as Go writes it in JSON (RFC 3339)."""
    at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
