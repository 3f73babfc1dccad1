"""From a request's body to a validated artifact."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from litestar import Response

from plugbay.admin._http import Ask, principal
from plugbay.admin._multipart import FilePart, parse_options
from plugbay.admin._problems import MEDIA_TYPE, problem_of, rejection
from plugbay.admin._sse import encode
from plugbay.admin._views import ArtifactView
from plugbay.artifacts import Declaration, parse_repr_digest
from plugbay.kernel import ArtifactState, Forbidden, Invalid, Malformed, Problem, TooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from plugbay.admin._context import Context
    from plugbay.artifacts import Artifact, Kind, LayerEvent, Upload

_EXTENDED = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^\s;]+)", re.IGNORECASE)
"""RFC 8187; the parser of forms leaves it out."""
FORM_OVERHEAD = 128 * 1024
"""What a form may have besides its file."""


async def receive(request: Ask, context: Context, filename: str | None) -> Upload:
    """Store the body. Raises `Malformed`, `Invalid`, `TooLarge`, `Unavailable`."""
    content_type = request.headers.get("content-type", "")
    body = limited(request, context.options.max_upload + FORM_OVERHEAD)
    if content_type.lower().startswith("multipart/form-data"):
        part = FilePart(body, content_type)
        await part.open()
        return await store(request, context, part, filename or part.filename, None)
    name = filename or _disposition(request.headers.get("content-disposition", ""))
    return await store(request, context, body, name, _length(request))


async def store(
    request: Ask,
    context: Context,
    chunks: FilePart | AsyncIterator[bytes],
    filename: str,
    length: int | None,
    declaration: Callable[[Kind], Declaration | None] | None = None,
) -> Upload:
    """Store the chunks. `declaration` is asked for the manifest when the form was read to its
    end; without it, the form's fields `manifest` and `config` are one."""
    if not filename:
        problem = Problem("", "filename is missing", remedy="add ?filename=<name>")
        raise Invalid(
            "say the file's name: by ?filename=, Content-Disposition or a form", problems=(problem,)
        )
    return await context.services.uploads.receive(
        chunks,
        filename=filename.replace("\\", "/").rsplit("/", 1)[-1],
        by=principal(request).user,
        expected=parse_repr_digest(request.headers["repr-digest"])
        if "repr-digest" in request.headers
        else None,
        length=length,
        declaration=declaration or (lambda kind: _declared(chunks)),
        signature=lambda: chunks.fields.get("signature") if isinstance(chunks, FilePart) else None,
    )


def _declared(chunks: FilePart | AsyncIterator[bytes]) -> Declaration | None:
    if not isinstance(chunks, FilePart):
        return None
    raw, given = chunks.fields.get("manifest"), chunks.fields.get("config")
    manifest = Declaration.read(raw) if raw else None
    if not given:
        return manifest
    config = _config(given)
    return replace(manifest, config=config) if manifest else Declaration.nothing_but(config)


def _config(raw: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError as error:  # also for what is JSON, but no object
        remedy = "send the configuration as a JSON object"
        problem = Problem("/config", "cannot be read", "a JSON object", str(error), remedy)
        raise Invalid(f"the form's field config: {error}", problems=(problem,)) from None


async def limited(request: Ask, limit: int) -> AsyncIterator[bytes]:
    """Yield the body. Raises `TooLarge` as soon as it is longer than `limit` bytes."""
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise TooLarge(f"the body has more than {limit} bytes")
        yield chunk


def _length(request: Ask) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not text.isdecimal():
        raise Malformed(f"Content-Length is not a number: {text!r}")
    return int(text)


def _disposition(value: str) -> str:
    """The file's name in Content-Disposition (RFC 6266); `filename*` comes first."""
    if extended := _EXTENDED.search(value):
        return unquote(extended[1])
    _, options = parse_options(value)
    return options.get("filename", "")


async def validated(request: Ask, context: Context, upload: Upload) -> Response[Any]:
    """Validate and answer with the artifact, or with every finding."""
    digest = upload.artifact.digest
    work = _settled(request, context, upload)
    artifact = await asyncio.shield(context.background.start(work, name=f"validate {digest}"))
    return _answer(request, artifact, duplicate=upload.duplicate)


async def _settled(
    request: Ask,
    context: Context,
    upload: Upload,
    tell: Callable[[LayerEvent], None] | None = None,
) -> Artifact:
    """Validate; what was here is tried with the configuration that came along.

    Raises `Forbidden`, and `Invalid` if it does not run so.
    """
    validator, digest = context.services.validator, upload.artifact.digest
    artifact = await validator.validate(digest, tell)
    await _check_plugin(request, context, artifact, duplicate=upload.duplicate)
    if upload.config is not None and artifact.state is ArtifactState.VALIDATED:
        await validator.try_with(digest, upload.config)
    return artifact


async def _check_plugin(
    request: Ask, context: Context, artifact: Artifact, *, duplicate: bool
) -> None:
    """A credential that is limited to some plugins leaves no artifact of another one behind.

    Raises `Forbidden`.
    """
    if artifact.state is ArtifactState.REJECTED:
        return
    try:
        principal(request).require_plugin(artifact.plugin)
    except Forbidden:
        if not duplicate:
            await context.services.artifacts.delete(artifact.digest)
        raise


def _answer(request: Ask, artifact: Artifact, *, duplicate: bool) -> Response[Any]:
    headers = {"location": f"/admin/api/v1/artifacts/{artifact.digest}"}
    if artifact.state is ArtifactState.REJECTED:
        details = rejection(artifact, instance=request.url.path)
        return Response(
            msgspec.json.encode(details),
            status_code=details.status,
            media_type=MEDIA_TYPE,
            headers=headers,
        )
    status = 200 if duplicate else 201
    return Response(ArtifactView.of(artifact), status_code=status, headers=headers)


async def narrate(request: Ask, context: Context, upload: Upload) -> AsyncIterator[bytes]:
    """Validate and tell each layer as it begins and ends, then the artifact or a problem.

    If the caller goes away the validation goes on: the artifact's record will say how it ended.
    """
    digest = upload.artifact.digest
    events: asyncio.Queue[LayerEvent | None] = asyncio.Queue()
    work = _settled(request, context, upload, events.put_nowait)
    task = context.background.start(work, name=f"validate {digest}")
    task.add_done_callback(lambda _: events.put_nowait(None))
    yield encode("uploaded", {"digest": digest, "size": upload.artifact.size})
    while (event := await events.get()) is not None:
        yield encode("layer", event)
    try:
        artifact = task.result()
    except Exception as error:  # noqa: BLE001 - the answer has begun: it is told as an event
        yield encode("problem", problem_of(error, instance=request.url.path))
        return
    if artifact.state is ArtifactState.REJECTED:
        yield encode("problem", rejection(artifact, instance=request.url.path))
    else:
        yield encode("validated", ArtifactView.of(artifact))
