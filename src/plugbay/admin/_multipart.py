"""The one file of a `multipart/form-data` body (RFC 7578), as a stream, and the fields about it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from plugbay.kernel import Malformed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

# By its name: another distribution, `python-multipart`, has a module of the same one, which leads
# to this library but not to its types.
multipart: Any = import_module("multipart")

MOST_FIELDS = 24
LONGEST_FIELD = 64 * 1024
FIELDS = frozenset({"manifest", "signature", "config"})
"""Parts that are about the file, and never the file."""


class FilePart:
    """The file of a form: `open` finds it, then it can be iterated once.

    Never more than one chunk of the file is held. The fields before it are in `fields` once it is
    open, those behind it once it has been read. Those of `FIELDS` are fields even if they
    come as files of their own.
    """

    def __init__(self, body: AsyncIterator[bytes], content_type: str) -> None:
        _, options = parse_options(content_type)
        self._body = body
        self.filename = ""
        self.fields: dict[str, bytes] = {}
        try:
            self._parser = multipart.PushMultipartParser(
                options.get("boundary", ""), max_segment_count=MOST_FIELDS, strict=True
            )
        except multipart.MultipartError as error:
            raise Malformed(f"the form cannot be read: {error}") from None
        self._events = self._parse()

    async def open(self) -> None:
        """Read up to the file's first byte. Raises `Malformed` if the form has no file."""
        if not await self._until_file():
            raise Malformed("the form has no file")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the file, then read the form to its end. Raises `Malformed` if it has none."""
        async for event in self._events:
            if not event:
                break
            yield bytes(event)
        if await self._until_file():
            raise Malformed("the form has more than one file; upload them one by one")

    def text(self, name: str, default: str = "") -> str:
        """Return a field as text, without white space around it."""
        raw = self.fields.get(name)
        return default if raw is None else raw.decode("utf-8", "replace").strip()

    async def _until_file(self) -> bool:
        """Read fields until a file begins; return whether one did."""
        field: str | None = None
        async for event in self._events:
            if event is None:
                field = None
            elif isinstance(event, (bytes, bytearray)):
                if field is not None:
                    self._add(field, bytes(event))
            elif event.filename is not None and event.name not in FIELDS:
                self.filename = self.filename or str(event.filename)
                return True
            else:
                field = str(event.name)
                self.fields[field] = b""
        return False

    def _add(self, name: str, data: bytes) -> None:
        self.fields[name] += data
        if len(self.fields[name]) > LONGEST_FIELD:
            raise Malformed(f"the form's field {name!r} has more than {LONGEST_FIELD} bytes")

    async def _parse(self) -> AsyncIterator[Any]:
        try:
            async for chunk in self._body:
                if chunk:
                    for event in self._parser.parse(chunk):
                        yield event
            self._parser.close()
        except multipart.MultipartError as error:
            raise Malformed(f"the form cannot be read: {error}") from None


def parse_options(value: str) -> tuple[str, dict[str, str]]:
    """Split a header value such as Content-Disposition into its value and parameters."""
    parse = cast("Callable[[str], tuple[str, dict[str, str]]]", multipart.parse_options_header)
    return parse(value)
