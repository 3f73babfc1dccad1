"""The OpenAPI 3.1 document, made from the routes.

Litestar says paths, parameters and results; here each operation also gets what its `Rule` says
(body, permission, preconditions) and the problems it can answer with.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig

from plugbay.admin._problems import MEDIA_TYPE, ProblemDetails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler

    from plugbay.admin._http import Rule

Document = dict[str, Any]
TITLE = "Plugbay admin API"
SCHEMAS = "#/components/schemas/{name}"
PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}
COMMON = {
    "400": "The request cannot be read.",
    "401": "Nobody is signed in.",
    "403": "The caller lacks the permission.",
    "404": "There is no such thing.",
    "405": "The path does not have this method.",
    "409": "The state does not allow it.",
    "413": "The body is too large.",
    "422": "The input is not valid; `errors` says where.",
    "429": "Too many requests; Retry-After says when to come back.",
    "500": "An unexpected error.",
    "503": "A part that is needed cannot answer now.",
}
CHANGE_HEADERS = ("Location", "Retry-After")
CHANGE_PARAMETERS = (
    (
        "wait",
        "query",
        "`converged`: answer 200 when every worker has it; `finished`: when it has drained too.",
    ),
    ("timeout", "query", "Seconds to wait at most; then the answer is 202."),
    ("reason", "query", "Why; it stands in the receipt."),
    ("Idempotency-Key", "header", "Sent again with the same key, a change is made once."),
)
PRECONDITIONS = {
    "412": "It was changed by somebody else.",
    "428": "If-Match is required.",
}


def describe(handlers: list[ControllerRouterHandler], version: str) -> Document:
    """Return the document of `handlers`."""
    config = OpenAPIConfig(title=TITLE, version=version, use_handler_docstrings=True, path="/-")
    app = Litestar(
        route_handlers=handlers,
        dependencies={"context": Provide(lambda: None, sync_to_thread=False)},  # no requests
        openapi_config=config,
        logging_config=None,
    )
    document: Document = json.loads(json.dumps(app.openapi_schema.to_schema()))
    bodies: set[type[Any]] = {ProblemDetails}
    for path, method, handler in operations(app):
        operation = document["paths"][path][method]
        if rule := cast("Rule | None", handler.opt.get("rule")):
            _complete(operation, rule)
            bodies.update(type_ for type_ in (rule.body, rule.errors) if type_ is not None)
    document = _with_short_names(document)
    _, schemas = msgspec.json.schema_components(bodies, ref_template=SCHEMAS)
    components = document.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **schemas}
    components["securitySchemes"] = _security_schemes()
    return document


def _with_short_names(document: Document) -> Document:
    """Call `Page_plugbay.admin._views.ArtifactView_` an `ArtifactViewPage`."""
    text = json.dumps(document)
    return cast("Document", json.loads(re.sub(r"\bPage_[\w.]*?(\w+)_(?=[\"/])", r"\1Page", text)))


def operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Each documented operation: its path template, method in lower case, and handler."""
    for route in app.routes:
        for handler in cast("list[HTTPRouteHandler]", getattr(route, "route_handlers", [])):
            if not handler.resolve_include_in_schema():
                continue
            for method in sorted(handler.http_methods - {"OPTIONS"}):
                yield route.path_format, method.lower(), handler


def _complete(operation: Document, rule: Rule) -> None:
    responses = operation.setdefault("responses", {})
    responses.pop("400", None)
    responses.get("204", {}).pop("content", None)  # it has none, whatever the route returns
    descriptions = {**COMMON, **(PRECONDITIONS if rule.if_match else {})}
    content = {MEDIA_TYPE: {"schema": PROBLEM}}
    if rule.errors is not None:
        # What is refused before a route is reached, such as who is not signed in, is a problem.
        own = {"$ref": SCHEMAS.format(name=rule.errors.__name__)}
        content["application/json"] = {"schema": own}
    for status, description in descriptions.items():
        responses[status] = {"description": description, "content": content}
    if rule.events:
        stream = {"text/event-stream": {"schema": {"type": "string"}}}
        responses["200"] = {"description": "Events as they happen.", "content": stream}
    if rule.upload and rule.form is None:
        responses["200"] = {**responses["201"], "description": "These bytes were there already."}
    for status in [status for status in responses if rule.text and status.startswith("2")]:
        found = responses[status]
        told = {**found.get("content", {}), rule.text: {"schema": {"type": "string"}}}
        responses[status] = {**found, "content": told}
    if rule.change:
        _complete_change(operation, rule)
    if content := _content(rule):
        operation["requestBody"] = {"required": True, "content": content}
    operation["security"] = [] if rule.permission is None else [{"bearer": []}, {"session": []}]
    if rule.permission is not None:
        operation["x-plugbay-permission"] = str(rule.permission)


def _complete_change(operation: Document, rule: Rule) -> None:
    """An operation comes as 202 while it runs, and as 200 if its end was waited for."""
    responses = operation["responses"]
    accepted = responses["202"]
    accepted["description"] = "The operation has begun; Location is where to follow it."
    accepted["headers"] = {name: {"schema": {"type": "string"}} for name in CHANGE_HEADERS}
    responses["200"] = {**accepted, "description": "The operation has ended well."}
    responses["502"] = {
        "description": "The plugin failed; nothing was changed.",
        "content": {MEDIA_TYPE: {"schema": PROBLEM}},
    }
    match = ("If-Match", "header", "The ETag of what is changed.")
    for name, place, text in (*CHANGE_PARAMETERS, *((match,) if rule.if_match else ())):
        operation.setdefault("parameters", []).append(
            {"name": name, "in": place, "description": text, "schema": {"type": "string"}}
        )


def _content(rule: Rule) -> Document:
    if rule.upload:
        binary = {"type": "string", "format": "binary"}
        manifest = {"type": "string", "description": "plugbay.toml, for a binary."}
        config = {"type": "string", "description": "What it is tried with, as a JSON object."}
        parts = {"file": binary, "manifest": manifest, "config": config}
        if rule.form is not None:
            told = {name: {"type": "string", "description": rule.form[name]} for name in rule.form}
            form = {"type": "object", "properties": {"file": binary, **told}}
            return {"multipart/form-data": {"schema": {**form, "required": ["file"]}}}
        form = {"type": "object", "properties": parts, "required": ["file"]}
        return {
            "application/octet-stream": {"schema": binary},
            "multipart/form-data": {"schema": form},
        }
    if rule.body is not None:
        return {"application/json": {"schema": {"$ref": SCHEMAS.format(name=rule.body.__name__)}}}
    return {}


def _security_schemes() -> Document:
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A token, `pb_…`."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "plugbay_session",
            "description": "A session's cookie; unsafe methods also need X-CSRF-Token.",
        },
    }
