"""From Odin's upload form to a validated artifact with its note."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from plugbay.admin._multipart import FilePart
from plugbay.admin._odin._errors import OdinError
from plugbay.admin._odin._form import OdinForm
from plugbay.admin._uploads import FORM_OVERHEAD, limited, store
from plugbay.kernel import Conflict, Malformed, TooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.admin._http import Ask
    from plugbay.admin._odin._binaries import PluginBinaries
    from plugbay.admin._odin._record import Known
    from plugbay.artifacts import Declaration, Kind, Upload

FIELDS = {
    "name": "Required. What it is called; its letters and digits are the plugin's id.",
    "version": "Required, such as 1.0.0.",
    "description": "A sentence.",
    "author": "Who made it.",
    "priority": "0 to 1000, the lowest runs first; default 100.",
    "phase": "pre-routing (default), post-routing or pre-response.",
    "routes": "Names or paths of routes, with commas; default /*, which is all.",
    "config": "A JSON object.",
    "tags": "Words, with commas.",
    "entry": "The exported constructor, default New; of a program the dialect, default plugbay.",
    "provides": "Capabilities, with commas; default request-filter,response-filter.",
}
"""What the form may have besides the file."""
_ENDINGS = (".so", ".whl", ".wasm")
_CONTENTS = (b"\x7fELF", b"PK\x03\x04", b"\0asm")


async def receive(request: Ask, binaries: PluginBinaries) -> Known:
    """Take an upload in and validate it. Raises `OdinError`."""
    most = binaries.context.options.max_upload
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        raise OdinError(HTTPStatus.BAD_REQUEST, "No file provided")
    part = FilePart(limited(request, most + FORM_OVERHEAD), content_type)
    try:
        await part.open()
        form, upload = await _stored(request, binaries, part)
    except Malformed as error:
        text = "No file provided" if "no file" in error.detail else error.detail
        raise OdinError(HTTPStatus.BAD_REQUEST, text) from None
    except TooLarge:
        text = f"file size exceeds maximum allowed size of {most >> 20} MB"
        raise OdinError(HTTPStatus.BAD_REQUEST, text) from None
    if upload.duplicate and upload.artifact.plugin:
        _refuse_duplicate(binaries, form, upload)
    note = form.note(upload.artifact.digest, binaries.context.services.clock.time())
    return await binaries.judge(upload.artifact.digest, note, form.plugin)


async def _stored(
    request: Ask, binaries: PluginBinaries, part: FilePart
) -> tuple[OdinForm, Upload]:
    forms: list[OdinForm] = []

    def declaration(kind: Kind) -> Declaration | None:
        form = OdinForm.read(part)
        if kind != "wheel":
            _refuse_taken(binaries, form)
        forms.append(form)
        return form.declaration(kind)

    try:
        chunks = _checked(part)
        upload = await store(request, binaries.context, chunks, part.filename, None, declaration)
    except Conflict as error:
        form = forms[0]
        text = f"Plugin {form.name} version {form.version} already exists: {error.detail}"
        raise OdinError(HTTPStatus.CONFLICT, text) from None
    return forms[0], upload


async def _checked(part: FilePart) -> AsyncIterator[bytes]:
    """Pass the file on, unless it is empty or certainly none of the kinds that are taken."""
    begun = False
    async for chunk in part:
        if not begun and not _plausible(part.filename, chunk):
            raise OdinError(HTTPStatus.BAD_REQUEST, "only .so files are allowed")
        begun = True
        yield chunk
    if not begun:
        raise OdinError(HTTPStatus.BAD_REQUEST, "file is empty")


def _plausible(filename: str, chunk: bytes) -> bool:
    return filename.lower().endswith(_ENDINGS) or chunk.startswith(_CONTENTS)


def _refuse_taken(binaries: PluginBinaries, form: OdinForm) -> None:
    """Refuse a name that would share the slot of another one, spelled otherwise."""
    for artifact in binaries.context.services.artifacts.list(plugin=form.plugin):
        note = binaries.context.notes.get(artifact.digest)
        if note is not None and note.name != form.name:
            text = f"Plugin {form.name} would be the same as {note.name}: choose another name"
            raise OdinError(HTTPStatus.CONFLICT, text)


def _refuse_duplicate(binaries: PluginBinaries, form: OdinForm, upload: Upload) -> None:
    """The bytes are there already, as the version that they are."""
    note = binaries.context.notes.get(upload.artifact.digest)
    name = note.name if note else upload.artifact.plugin
    version = note.version if note else upload.artifact.version
    text = f"Plugin {name} version {version} already exists"
    if (name, version) != (form.name, form.version):
        text += f": the file is the same, sha256 {upload.artifact.digest}"
    raise OdinError(HTTPStatus.CONFLICT, text)
