"""What the routes do: records, and what becomes of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from packaging.version import Version

from plugbay.admin._http import Ask, principal
from plugbay.admin._odin._changes import LoadError, apply, routes_named
from plugbay.admin._odin._errors import OdinError, refused
from plugbay.admin._odin._record import ID, Known
from plugbay.admin._odin_notes import Note
from plugbay.admin._schema import check_config
from plugbay.admin.access import Permission
from plugbay.control import Configure, Disable, Enable, Pin, Remove, Rollback, Unpin
from plugbay.kernel import ArtifactState, Conflict, NotFound

if TYPE_CHECKING:
    from plugbay.admin._context import Context
    from plugbay.artifacts import Artifact
    from plugbay.control import Change

_SHOWN = (ArtifactState.VALIDATED, ArtifactState.REVOKED)
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class PluginBinaries:
    """Every artifact that was validated, whichever API it came by, with its plugin's slot."""

    context: Context

    def all(self) -> list[Known]:
        """Return the records, the last uploaded first."""
        notes, slots = (
            self.context.notes.all(),
            {view.id: view for view in self.context.board.plugins()},
        )
        return [
            Known(artifact=found, note=notes.get(found.digest), slot=slots.get(found.plugin))
            for found in self.context.services.artifacts.list()
            if found.state in _SHOWN
        ]

    def get(self, id: str) -> Known:
        """Return the record. Raises `OdinError`."""
        if len(id) != ID or not _HEX.issuperset(id.lower()):
            raise OdinError(HTTPStatus.BAD_REQUEST, "Invalid plugin ID")
        for artifact in self.context.services.artifacts.list():
            if artifact.digest.startswith(id.lower()) and artifact.state in _SHOWN:
                return self._known(artifact)
        raise OdinError(HTTPStatus.NOT_FOUND, "Plugin not found")

    async def judge(self, digest: str, note: Note, plugin: str) -> Known:
        """Validate what was uploaded as `plugin`, and keep its note. Raises `OdinError`."""
        validator = self.context.services.validator
        task = self.context.background.start(validator.validate(digest), name=f"validate {digest}")
        try:
            artifact = await asyncio.shield(task)
        except Conflict:
            raise _exists(note.name, note.version) from None
        if artifact.state is not ArtifactState.VALIDATED:
            raise refused(artifact)
        await self._refuse_other_name(artifact, note, plugin)
        await self.context.notes.put(note)
        return self._known(artifact)

    async def enable(self, request: Ask, id: str) -> tuple[Known, bool]:
        """Run this version, in place of another one of its plugin; return whether it was new.

        Raises `OdinError` if it cannot be loaded: then the record says why.
        """
        known = self.get(id)
        principal(request).require_plugin(known.artifact.plugin)
        if known.enabled:
            return known, False
        try:
            await self._run(request, known)
        except LoadError as error:
            await self._note(known, error_message=str(error))
            status, text = HTTPStatus.INTERNAL_SERVER_ERROR, f"Failed to load plugin: {error}"
            raise OdinError(status, text) from None
        return await self._enabled(known), True

    async def disable(self, request: Ask, id: str) -> tuple[Known, bool]:
        """Stop it; return whether it ran. Raises `OdinError`, `Conflict` if others need it."""
        known = self.get(id)
        principal(request).require_plugin(known.artifact.plugin)
        if not known.enabled:
            return known, False
        await self._change(request, known, Disable(plugin=known.artifact.plugin))
        await self._note(known, error_message="")
        return self.get(id), True

    async def rollback(self, request: Ask, id: str, version: str) -> Known:
        """Run another version of this record's plugin; without one, what ran before."""
        known = self.get(id)
        plugin = known.artifact.plugin
        principal(request).require_plugin(plugin)
        if not version:
            await self._change(request, known, Rollback(plugin=plugin))
            spec = self.context.services.control.desired.plugins.get(plugin)
            return self.get((spec.digest if spec else known.artifact.digest)[:ID])
        try:
            found = self.context.services.artifacts.find(plugin, version)
        except NotFound:
            text = f"Plugin {known.name} has no version {version}"
            raise OdinError(HTTPStatus.NOT_FOUND, text) from None
        after, _ = await self.enable(request, found.digest[:ID])
        return after

    async def pin(self, request: Ask, id: str, reason: str) -> Known:
        """Hold the plugin at this version, which must be the one of its slot."""
        known = self._of_slot(request, id)
        await self._change(request, known, Pin(plugin=known.artifact.plugin, why=reason))
        return self.get(id)

    async def unpin(self, request: Ask, id: str) -> Known:
        """Let the plugin move to other versions again."""
        known = self._of_slot(request, id)
        await self._change(request, known, Unpin(plugin=known.artifact.plugin))
        return self.get(id)

    def _of_slot(self, request: Ask, id: str) -> Known:
        known = self.get(id)
        principal(request).require_plugin(known.artifact.plugin)
        if not known.running:
            text = f"Plugin {known.name} version {known.version} is not enabled"
            raise OdinError(HTTPStatus.CONFLICT, text)
        return known

    async def configure(self, request: Ask, id: str, config: dict[str, Any]) -> Known:
        """Give it another configuration: at once if it runs, else for when it is enabled."""
        known = self.get(id)
        principal(request).require_plugin(known.artifact.plugin)
        check_config(known.artifact.config_schema, config)
        if known.running:
            change = Configure(plugin=known.artifact.plugin, config=config)
            await self._change(request, known, change)
        await self._note(known, config=config)
        return self.get(id)

    async def delete(self, request: Ask, id: str) -> None:
        """Delete the record and the bytes; a version that runs is removed first.

        Raises `Forbidden` if it runs and the caller may not stop it.
        """
        known, services = self.get(id), self.context.services
        plugin, digest = known.artifact.plugin, known.artifact.digest
        who = principal(request)
        who.require_plugin(plugin)
        if known.running:
            who.require(Permission.PLUGINS_WRITE)
            await self._change(request, known, Remove(plugin=plugin))
        in_use = {spec.digest for spec in services.control.desired.plugins.values()}
        await services.artifacts.delete(digest, in_use=in_use)
        await self.context.notes.delete(digest)

    async def _run(self, request: Ask, known: Known) -> None:
        control, note = self.context.services.control, known.note
        patterns = note.routes if note else ("/*",)
        change = Enable(
            plugin=known.artifact.plugin,
            digest=known.artifact.digest,
            config=known.config if note is not None else None,
            routes=routes_named(patterns, control.desired.routes.values()) if note else None,
        )
        await self._apply(request, known, change)

    async def _change(self, request: Ask, known: Known, change: Change) -> None:
        try:
            await self._apply(request, known, change)
        except LoadError as error:
            status, text = HTTPStatus.INTERNAL_SERVER_ERROR, f"Failed to load plugin: {error}"
            raise OdinError(status, text) from None

    async def _apply(self, request: Ask, known: Known, change: Change) -> None:
        await apply(
            request,
            self.context.services.control,
            change,
            plugin=known.artifact.plugin,
            seconds=self.context.options.max_wait,
        )

    async def _enabled(self, known: Known) -> Known:
        note = self._note_of(known)
        now = self.context.services.clock.time()
        await self._note(
            known, last_enabled_at=now, usage_count=note.usage_count + 1, error_message=""
        )
        return self.get(known.artifact.digest[:ID])

    async def _note(self, known: Known, **changes: Any) -> None:
        now = self.context.services.clock.time()
        await self.context.notes.put(replace(self._note_of(known), updated_at=now, **changes))

    def _note_of(self, known: Known) -> Note:
        """Return its note; for what came another way, one that says what it is."""
        if known.note is not None:
            return known.note
        shown, artifact = known.shown(), known.artifact
        return Note(
            digest=artifact.digest,
            name=shown.name,
            version=shown.version,
            description=shown.description,
            author=shown.author,
            routes=tuple(shown.metadata.routes),
            config=known.config if known.running else None,
            updated_at=artifact.uploaded_at,
        )

    async def _refuse_other_name(self, artifact: Artifact, note: Note, plugin: str) -> None:
        """What has a manifest inside, such as a wheel, is what that says."""
        same = Version(artifact.version) == Version(note.version)
        if artifact.plugin != plugin or not same:
            await self.context.services.artifacts.delete(artifact.digest)
            raise OdinError(
                HTTPStatus.BAD_REQUEST,
                "Plugin validation failed: the file says itself what it is: expected name"
                f" {artifact.plugin} and version {artifact.version},"
                f" found {note.name} and {note.version}",
            )

    def _known(self, artifact: Artifact) -> Known:
        return Known(
            artifact=artifact,
            note=self.context.notes.get(artifact.digest),
            slot=self.context.board.plugin(artifact.plugin),
        )


def _exists(name: str, version: str) -> OdinError:
    return OdinError(HTTPStatus.CONFLICT, f"Plugin {name} version {version} already exists")
