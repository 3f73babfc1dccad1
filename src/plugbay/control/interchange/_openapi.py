"""OpenAPI 3.0 and 3.1 to routes and upstreams."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from plugbay.control.interchange._assemble import assemble
from plugbay.control.interchange._calls import (
    Call,
    Imported,
    Options,
    Remark,
    path_of,
    read_server,
)
from plugbay.control.interchange._json import mentions, table, tables, text
from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_EXAMPLES = frozenset(("example", "examples"))
_VARIABLE = re.compile(r"\{([^{}]+)\}")


def import_openapi(document: Mapping[str, Any], options: Options) -> Imported:
    """Map a document. Raises `Invalid` if it is not OpenAPI 3.0 or 3.1."""
    version = text(document.get("openapi"))
    if not re.fullmatch(r"3\.[01](\..*)?", version):
        found = version or text(document.get("swagger")) or "nothing"
        problem = Problem("/openapi", "is not a version that can be read", "3.0 or 3.1", found)
        raise Invalid(f"the file is no OpenAPI 3.0 or 3.1: found {found}", problems=(problem,))
    reading = _Reading(document, options)
    for path, item in table(document.get("paths")).items():
        if not path.startswith("x-"):
            reading.path(path, item)
    title = text(table(document.get("info")).get("title"))
    return assemble(title, reading.calls, reading.finish(), options)


class _Reading:
    """A document while it is walked through."""

    def __init__(self, document: Mapping[str, Any], options: Options) -> None:
        self._document, self._options = document, options
        self.calls: list[Call] = []
        self._remarks: list[Remark] = []
        self._others: dict[str, None] = {}
        self._secured = bool(document.get("security"))
        self._examples = 0
        self._callbacks: list[str] = []

    def finish(self) -> list[Remark]:
        """Return the remarks, with those about the whole."""
        components = table(self._document.get("components"))
        schemes = ", ".join(sorted(table(components.get("securitySchemes"))))
        if self._secured or schemes:
            detail = f"security ({schemes or 'named'}) is not imported: use a plugin"
            self._remark("security", detail)
        if self._others:
            detail = f"not imported: {', '.join(self._others)}; --server chooses another"
            self._remark("servers", detail)
        if self._callbacks:
            self._remark("callbacks", f"not imported: those of {', '.join(self._callbacks)}")
        if hooks := ", ".join(table(self._document.get("webhooks"))):
            self._remark("webhooks", f"not imported: {hooks}")
        if self._examples:
            self._remark("examples", f"those of {self._examples} operations are not imported")
        if self.calls:
            detail = "parameters, bodies and answers are not checked: routes do not ask for them"
            self._remark("schemas", detail)
        return self._remarks

    def path(self, path: str, item: object) -> None:
        """Take a path with its operations."""
        found = self._resolved(path, table(item))
        for method in METHODS:
            operation = table(found.get(method))
            if operation:
                self._operation(path, method.upper(), operation, found)

    def _operation(
        self, path: str, method: str, operation: Mapping[str, Any], item: Mapping[str, Any]
    ) -> None:
        id = text(operation.get("operationId"))
        where = f"{method} {path} ({id})" if id else f"{method} {path}"
        self._secured = self._secured or bool(operation.get("security"))
        self._examples += mentions(operation, _EXAMPLES)
        if operation.get("callbacks"):
            self._callbacks.append(where)
        try:
            server, base = read_server(self._server(operation, item))
            template = [_segment(part) for part in path.split("/")]
            self.calls.append(Call(where, method, server, path_of([*base, *template])))
        except ValueError as error:
            self._remark(where, f"not imported: {error}")

    def _server(self, operation: Mapping[str, Any], item: Mapping[str, Any]) -> str:
        """Return the first URL of the nearest `servers`. Raises `ValueError`."""
        if self._options.server:
            return self._options.server
        for place in (operation, item, self._document):
            if servers := tables(place.get("servers")):
                self._others |= dict.fromkeys(self._url(server) for server in servers[1:])
                url = self._url(servers[0])
                if not url.startswith(("http://", "https://")):
                    raise ValueError(f"the server {url!r} has no host: give --server URL")
                return url
        raise ValueError("the document names no server: give --server URL")

    def _url(self, server: Mapping[str, Any]) -> str:
        variables = table(server.get("variables"))

        def value(found: re.Match[str]) -> str:
            name = found[1]
            given = self._options.variables.get(name)
            return given or text(table(variables.get(name)).get("default")) or found[0]

        return _VARIABLE.sub(value, text(server.get("url")))

    def _resolved(self, path: str, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow a path's `$ref` inside the document."""
        reference = text(item.get("$ref"))
        if not reference:
            return item
        found: Any = self._document
        for key in reference.removeprefix("#/").split("/") if reference.startswith("#/") else ():
            found = table(found).get(unquote(key).replace("~1", "/").replace("~0", "~"))
        if found is self._document or not table(found) or "$ref" in table(found):
            self._remark(path, f"not imported: {reference} is not in this file")
            return item
        return {**table(found), **item}

    def _remark(self, where: str, detail: str) -> None:
        self._remarks.append(Remark(where, detail))


def _segment(part: str) -> str | None:
    return None if _VARIABLE.search(part) else part
