"""The body of `/pks/add`: a form with the field `keytext`."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from ._certificate import BadKey


class TooMuch(Exception):
    """The submission is larger than what is taken."""


async def keytext(receive: Callable[[], Awaitable[MutableMapping[str, Any]]], most: int) -> bytes:
    """Read the form. Raises `TooMuch`, and `BadKey` if there is no such field.

    Percent-encoding makes it up to three times as long, so the body may be.
    """
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = bool(message.get("more_body", False)) and message["type"] == "http.request"
        if len(body) > 3 * most:
            raise TooMuch(f"a submission has {most} bytes at most")
    try:
        fields = parse_qs(bytes(body), max_num_fields=8)
    except ValueError as error:
        raise BadKey(f"the form cannot be read: {error}") from None
    found = fields.get(b"keytext", [b""])[0]
    if not found.strip():
        raise BadKey("the form has no field keytext")
    if len(found) > most:
        raise TooMuch(f"a submission has {most} bytes at most")
    return found
