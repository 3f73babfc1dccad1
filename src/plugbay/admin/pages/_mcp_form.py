"""Forms for MCP servers and federations, from the types that the API takes."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.admin._spare import spare
from plugbay.admin.pages._schema_form import Field
from plugbay.admin.pages._spec_form import fields_of, properties_of
from plugbay.mcp.serving import FederationSpec, ServerSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.mcp.serving import MemberSpec

BOTH = {
    "name": "small letters, digits and hyphens; routes name it so",
    "max_sessions": "clients with sessions at once; of more each gets 503",
    "max_requests": "in flight, of one session or of all clients without sessions",
    "max_message": "bytes",
    "idle": "seconds; what nobody uses for so long ends",
    "replay_bytes": "of a session's events, for a client that comes back for them; 0: none",
    "replay_seconds": "how long they are kept",
    "origins": "of browsers' pages that may call it, such as https://app.example.com",
}
SERVER = {
    **BOTH,
    "command": "the program; it runs with the gateway's own rights",
    "args": "its arguments",
    "env": "besides PATH, HOME and the like; a value may be ${secret:name} or ${env:NAME}",
    "directory": "where it runs; empty: where the gateway does",
    "restart": "when it is started again after it has ended",
    "crashes": "so many within crash_window, and it rests",
    "crash_window": "seconds",
    "crash_rest": "seconds until it is tried again",
}
FEDERATION = {
    **BOTH,
    "when_down": "while a member is down: list what the others have, or refuse lists",
}
PATH = Field(
    pointer="/path",
    label="path",
    kind="text",
    description="where clients find it, such as /time: a route that is made with it; empty: none",
)
"""Of something new: no part of it, but the way to it."""
MEMBERS = "a server's name or a URL, and its prefix if that is another; JSON for headers"


def server_form(server: ServerSpec | None) -> tuple[Field, ...]:
    """The fields of a server; its arguments and its environment are lines if they can be."""
    schema = msgspec.json.schema(ServerSpec)
    found = fields_of(schema, properties_of(schema, "ServerSpec"), server, SERVER)
    as_it_is = {"args": _args, "env": _env}
    made = tuple(
        as_it_is[one.label](one, server) if one.label in as_it_is else one for one in found
    )
    return made if server is not None else (*made, PATH)


def federation_form(federation: FederationSpec | None) -> tuple[Field, ...]:
    """The fields of a federation; its members are lines, as long as none has headers."""
    schema = msgspec.json.schema(FederationSpec)
    found = fields_of(schema, properties_of(schema, "FederationSpec"), federation, FEDERATION)
    members = () if federation is None else federation.members
    if any(member.headers for member in members):
        return found
    made = tuple(_members(one, members) if one.label == "members" else one for one in found)
    return made if federation is not None else (*made, PATH)


def plain(spec: ServerSpec | FederationSpec | None) -> dict[str, Any]:
    """What a specification says that is not so anyway, without its name."""
    said = {} if spec is None else spare(spec)
    said.pop("name", None)
    return said


def _args(field: Field, server: ServerSpec | None) -> Field:
    args = () if server is None else server.args
    if all(map(_is_line, args)):
        return field
    return dataclasses.replace(field, kind="json", value=json.dumps(args, ensure_ascii=False))


def _is_line(text: str) -> bool:
    return bool(text) and text == text.strip() and len(text.splitlines()) == 1


def _env(field: Field, server: ServerSpec | None) -> Field:
    pairs = {} if server is None else server.env
    if not all(_is_line(f"{name}={value}") for name, value in pairs.items()):
        return field
    text = "\n".join(f"{name}={value}" for name, value in pairs.items())
    hint = "NAME=value, one on each line"
    return dataclasses.replace(field, kind="pairs", value=text, hint=hint)


def _members(field: Field, members: Iterable[MemberSpec]) -> Field:
    lines = [f"{one.server or one.url} {one.prefix}".strip() for one in members]
    return dataclasses.replace(
        field, kind="members", value="\n".join(lines), hint=f"{MEMBERS}; one on each line"
    )
