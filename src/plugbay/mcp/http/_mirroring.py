"""Header fields that repeat what a body says (MCP 2026-07-28, transports: Streamable HTTP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.mcp._json import as_array, as_object, params_of, result_of
from plugbay.mcp.http._header_values import header_text, header_value
from plugbay.mcp.http._param_headers import PREFIX, ParamHeaders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Request

ANNOTATION = b"x-mcp-header"


class Mirroring:
    """Lets the fields of a request say what a changed body says. One for each route: it learns
    from lists of tools which fields repeat arguments."""

    def __init__(self) -> None:
        self._params = ParamHeaders()

    def learn(self, body: bytes) -> None:
        """Look at what a server says."""
        if body.find(ANNOTATION) < 0:
            return
        try:
            tools = as_array(result_of(body).get("tools"))
        except ValueError:
            return
        self._params.learn(map(as_object, tools))

    def rewrite(
        self,
        request: Request,
        bodies: tuple[bytes, bytes],
        before: Mapping[str, str],
        after: Mapping[str, str],
    ) -> None:
        """Change the fields that said what the original did.

        `bodies` are the original and what goes on, `before` and `after` the method and the name
        in them. A field that did not say so is left, so that the server sees that it is wrong.
        """
        for name, value in after.items():
            found = request.headers.get(name)
            if found is not None and header_text(found.strip(" \t")) == before.get(name):
                request.headers.set(name, header_value(value))
        if after.get("mcp-method") == "tools/call":
            self._rewrite_params(request, *bodies)

    def _rewrite_params(self, request: Request, before: bytes, after: bytes) -> None:
        fields = {name: value for name, value in request.headers if name.startswith(PREFIX)}
        old, new = (params_of(body) for body in (before, after))
        changed = self._params.rewritten(
            str(new.get("name", "")),
            fields,
            as_object(old.get("arguments")),
            as_object(new.get("arguments")),
        )
        for name, value in changed.items():
            if value is None:
                request.headers.remove(name)
            else:
                request.headers.set(name, value)
