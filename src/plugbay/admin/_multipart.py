"""The one file of a `multipart/form-data` body (RFC 7578), as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import multipart  # type: ignore[import-untyped]  # it ships annotations, but no py.typed

from plugbay.kernel import Malformed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MOST_FIELDS = 16


class FilePart:
    """The file of a form: `open` finds it, then it can be iterated once.

    Never more than one chunk of the body is held. Fields besides the file are skipped.
    """

    def __init__(self, body: AsyncIterator[bytes], content_type: str) -> None:
        _, options = parse_options(content_type)
        self._body = body
        self.filename = ""
        try:
            self._parser = multipart.PushMultipartParser(
                options.get("boundary", ""), max_segment_count=MOST_FIELDS, strict=True
            )
        except multipart.MultipartError as error:
            raise Malformed(f"the form cannot be read: {error}") from None
        self._events = self._parse()

    async def open(self) -> None:
        """Read up to the file's first byte. Raises `Malformed` if the form has no file."""
        async for event in self._events:
            filename = getattr(event, "filename", None)
            if filename is not None:
                self.filename = str(filename)
                return
        raise Malformed("the form has no file")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the file, then read the form to its end. Raises `Malformed` if it has none."""
        async for event in self._events:
            if not event:
                break
            yield bytes(event)
        async for event in self._events:
            if getattr(event, "filename", None) is not None:
                raise Malformed("the form has more than one file; upload them one by one")

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
    parse = cast("Callable[[str], tuple[str, dict[str, str]]]", multipart.parse_options_header)  # pyright: ignore[reportUnknownMemberType]  # untyped
    return parse(value)
