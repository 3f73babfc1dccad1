"""A page of the OpenAPI document: rendered here, without scripts and without remote assets."""

from __future__ import annotations

from html import escape
from typing import Any, cast

from plugbay.admin._problems import MEDIA_TYPE

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: #1b1f24; background: #fff; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d0d7de; text-transform: capitalize; }
details { border: 1px solid #d0d7de; border-radius: .4rem; margin: .5rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; }
code, .method { font-family: ui-monospace, monospace; font-size: .9em; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117; }
  a { color: #7cb3ff; }
  h2, details { border-color: #30363d; }
}
"""

Node = dict[str, Any]


def render(document: Node) -> str:
    """Return the whole page."""
    info = document["info"]
    groups: dict[str, list[str]] = {}
    for path, item in sorted(document["paths"].items()):
        for method, operation in cast("Node", item).items():
            tag = cast("list[str]", operation.get("tags", ["other"]))[0]
            groups.setdefault(tag, []).append(_operation(path, method, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(groups[tag])}" for tag in sorted(groups))
    schemas = "".join(
        _schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())
    )
    title = escape(info["title"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title}</title><link rel="stylesheet" href="/admin/api/docs/style.css"></head>'
        f"<body><main><h1>{title} <small>{escape(info['version'])}</small></h1>"
        '<p>The document: <a href="/admin/api/v1/openapi.json">openapi.json</a> (OpenAPI '
        f"{escape(document['openapi'])}). Errors are <code>{MEDIA_TYPE}</code>.</p>"
        f"{body}<h2>schemas</h2>{schemas}</main></body></html>"
    )


def _operation(path: str, method: str, operation: Node) -> str:
    needs = operation.get("x-plugbay-permission", "")
    permission = f"<p>Permission: <code>{escape(needs)}</code></p>" if needs else ""
    return (
        f'<details id="{escape(operation["operationId"])}"><summary>'
        f'<span class="method">{escape(method.upper())}</span> <code>{escape(path)}</code> '
        f"{escape(operation.get('summary', ''))}</summary>"
        f"<p>{escape(operation.get('description', ''))}</p>{permission}"
        f"{_parameters(operation.get('parameters', []))}{_body(operation)}"
        f"{_responses(operation['responses'])}</details>"
    )


def _parameters(parameters: list[Node]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
        f"<td>{_type(one.get('schema', {}))}</td><td>{escape(one.get('description', ''))}</td></tr>"
        for one in parameters
    )
    return f"<table><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr>{rows}</table>"


def _body(operation: Node) -> str:
    content = cast("Node", operation.get("requestBody", {}).get("content", {}))
    return "".join(
        f"<p>Body: <code>{escape(media)}</code> {_type(said.get('schema', {}))}</p>"
        for media, said in content.items()
    )


def _responses(responses: Node) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{escape(said.get('description', ''))}</td>"
        f"<td>{_types(said.get('content', {}))}</td></tr>"
        for status, said in sorted(responses.items())
    )
    return f"<table><tr><th>status</th><th></th><th>body</th></tr>{rows}</table>"


def _types(content: Node) -> str:
    return " ".join(_type(said.get("schema", {})) for said in content.values())


def _schema(name: str, schema: Node) -> str:
    properties = cast("Node", schema.get("properties", {}))
    rows = "".join(
        f"<tr><td><code>{escape(key)}</code></td><td>{_type(said)}</td>"
        f"<td>{escape(str(said.get('description', '')))}</td></tr>"
        for key, said in properties.items()
    )
    text = escape(str(schema.get("description", schema.get("type", ""))))
    return (
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<p>{text}</p><table>{rows}</table></details>"
    )


def _type(schema: Node) -> str:
    if reference := schema.get("$ref"):
        name = escape(str(reference).rsplit("/", 1)[-1])
        return f'<a href="#schema-{name}">{name}</a>'
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_type(one) for one in schema[key])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return " · ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    return escape(str(schema.get("type", "any")))
