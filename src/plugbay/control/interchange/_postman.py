"""Postman collections, format 2.1.0 (schema.postman.com) to routes and upstreams."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from plugbay.control.interchange._assemble import assemble
from plugbay.control.interchange._calls import Call, Imported, Options, Remark, path_of, read_server
from plugbay.control.interchange._json import listed, table, tables, text
from plugbay.control.interchange._kept import Kept
from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Values = dict[str, str]
_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")
_DATA = re.compile(r"\d+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_DEEPEST = 50
_AGAIN = 10
"""How often a variable's value may name another variable."""


def import_postman(document: Mapping[str, Any], options: Options) -> Imported:
    """Map a collection. Raises `Invalid` if it is none of format 2.1.

    A collection that `export_postman` has made gives the same routes and upstreams again.
    """
    collection = table(document.get("collection")) or document
    info = table(collection.get("info"))
    if "/collection/v2.1" not in text(info.get("schema")):
        problem = Problem(
            "/info/schema", "is not that of a collection 2.1", "…/collection/v2.1.0/…"
        )
        raise Invalid(
            "the file is no Postman collection v2.1: export it again as v2.1", problems=(problem,)
        )
    reading = _Reading(options, Kept.of(collection))
    reading.folder(collection, text(info.get("name")), {}, 0)
    found = assemble(text(info.get("name")), reading.calls, reading.finish(), options)
    return reading.kept.restored(found)


class _Reading:
    """A collection while it is walked through."""

    def __init__(self, options: Options, kept: Kept) -> None:
        self._options, self.kept = options, kept
        self.calls: list[Call] = []
        self._remarks: list[Remark] = []
        self._carrying = 0

    def finish(self) -> list[Remark]:
        """Return the remarks, with one for all that clients send."""
        if self._carrying:
            detail = f"queries, headers and bodies of {self._carrying} requests are the clients'"
            self._remarks.append(Remark("requests", f"{detail}: routes do not ask for them"))
        return self._remarks

    def folder(self, folder: Mapping[str, Any], where: str, above: Values, depth: int) -> None:
        """Take a folder, or the collection itself."""
        if depth > _DEEPEST:
            raise Invalid(f"{where}: folders are nested more than {_DEEPEST} deep")
        values = {**above, **_values(folder.get("variable"))}
        self._left_out(folder, where)
        for item in tables(folder.get("item")):
            name = f"{where} / {text(item.get('name')) or 'unnamed'}"
            if "item" in item:
                with_route = depth == 0 and self.kept.enter(text(item.get("name")))
                self.folder(item, name, values, depth + 1)
                if with_route:
                    self.kept.leave()
            else:
                self._item(item, name, values)

    def _item(self, item: Mapping[str, Any], where: str, values: Values) -> None:
        self._left_out(item, where)
        if examples := len(listed(item.get("response"))):
            self._remark(where, f"{examples} example responses are not imported")
        request = item.get("request")
        asked: Mapping[str, Any] = {"url": request} if isinstance(request, str) else table(request)
        if not asked:
            self._remark(where, "not imported: it has no request")
            return
        self._left_out(asked, where)
        url = asked.get("url")
        if asked.get("header") or asked.get("body") or table(url).get("query"):
            self._carrying += 1
        try:
            call = self._call(where, text(asked.get("method")) or "GET", url, values)
        except ValueError as error:
            self._remark(where, f"not imported: {error}")
            return
        if not self.kept.covers(call):
            self.calls.append(call)

    def _call(self, where: str, method: str, url: object, above: Values) -> Call:
        parts = table(url)
        values = {**above, **self._options.variables}
        origin, rest = (
            _origin(parts) if parts.get("host") else _split(text(parts.get("raw") or url))
        )
        server, base = read_server(_server_url(_resolved(origin, values)))
        segments: list[str | None] = [*base]
        for part in rest:
            segments += self._segments(where, part, values)
        return Call(where, method, server, path_of(segments))

    def _segments(self, where: str, segment: str, values: Values) -> list[str | None]:
        """Return what a segment stands for: a variable may be several."""
        if segment.startswith(":") and len(segment) > 1:
            return [None]
        value = _resolved(segment, values)
        if "{{" in value:
            return [None]
        if value != segment and _DATA(value):
            self._remark(where, f"{segment} is {value} here: taken for something that varies")
            return [None]
        return [*value.split("/")]

    def _left_out(self, thing: Mapping[str, Any], where: str) -> None:
        for event in tables(thing.get("event")):
            listen = "pre-request" if event.get("listen") == "prerequest" else "test"
            if any(line.strip() for line in _lines(table(event.get("script")).get("exec"))):
                self._remark(where, f"a {listen} script is not imported")
        auth = table(thing.get("auth"))
        if auth and auth.get("type") != "noauth":
            self._remark(where, f"auth ({text(auth.get('type'))}) is not imported: use a plugin")

    def _remark(self, where: str, detail: str) -> None:
        self._remarks.append(Remark(where, detail))


def _values(variables: object) -> Values:
    found: Values = {}
    for one in tables(variables):
        key = text(one.get("key")) or text(one.get("id"))
        if key and not one.get("disabled"):
            found[key] = text(one.get("value"))
    return found


def _resolved(value: str, values: Values) -> str:
    """Put values in the place of `{{names}}`; what has none stays."""
    for _ in range(_AGAIN):
        once = _VARIABLE.sub(lambda found: values.get(found[1].strip()) or found[0], value)
        if once == value:
            break
        value = once
    return value


def _origin(url: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return what names the server, and the segments of the path."""
    host = url.get("host")
    name = host if isinstance(host, str) else ".".join(text(part) for part in listed(host))
    scheme, port = text(url.get("protocol")), text(url.get("port"))
    origin = f"{scheme}://{name}" if scheme else name
    path = url.get("path")
    if isinstance(path, str):
        segments = path.split("/")
    else:
        segments = [
            text(table(one).get("value")) if table(one) else text(one) for one in listed(path)
        ]
    return f"{origin}:{port}" if port else origin, segments


def _split(raw: str) -> tuple[str, list[str]]:
    """The same of a URL in one piece."""
    scheme, mark, rest = raw.partition("#")[0].partition("?")[0].rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host}", path.split("/") if slash else []


def _server_url(origin: str) -> str:
    if missing := _VARIABLE.search(origin):
        name = missing[1].strip()
        raise ValueError(f"{{{{{name}}}}} has no value: give --variable {name}=…")
    return origin if "://" in origin else f"http://{origin}"


def _lines(script: object) -> list[str]:
    return [script] if isinstance(script, str) else [text(line) for line in listed(script)]
