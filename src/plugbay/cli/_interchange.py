"""`plugbay import …` and `plugbay export …`: routes from and to the documents of other tools."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from plugbay.cli._commands import Commands
from plugbay.cli._declare import export_document, print_steps
from plugbay.cli._files import UserFile, target
from plugbay.cli._operation import finish, make_change
from plugbay.cli._options import URL, Output, Reason, Token, Url, Wait, assigned
from plugbay.cli._output import Format, print_json
from plugbay.cli._session import Target
from plugbay.kernel import Conflict, Invalid, convert

if TYPE_CHECKING:
    from plugbay.control.interchange import Imported

File = Annotated[Path, typer.Argument(help="The document: JSON, or YAML in *.yaml.")]
Name = Annotated[str, typer.Option(help="What the routes' names begin with; default: the title.")]
Variable = Annotated[
    list[str], typer.Option(help="NAME=VALUE, before the document's own; may be repeated.")
]
Host = Annotated[list[str], typer.Option(help="Take only requests for this host; may be repeated.")]
KeepHosts = Annotated[
    bool, typer.Option("--keep-hosts", help="Take requests for the host names of the servers.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, change nothing.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Also replace routes and upstreams that are there.")
]
_YAML = "{path}: reading YAML needs PyYAML: pip install pyyaml, or convert the file to JSON"


def import_postman(
    file: File,
    name: Name = "",
    variable: Variable = [],  # noqa: B006 - read by Typer, never changed
    environment: Annotated[
        Path | None, typer.Option(help="A Postman environment: values of variables.")
    ] = None,
    host: Host = [],  # noqa: B006 - as above
    keep_hosts: KeepHosts = False,
    dry_run: DryRun = False,
    replace: Replace = False,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Make routes and upstreams of a Postman collection v2.1, as one change."""
    from plugbay.control.interchange import Options
    from plugbay.control.interchange import import_postman as read

    values = _environment(environment) | assigned(variable)
    options = Options(name=name, variables=values, hosts=tuple(host), keep_hosts=keep_hosts)
    found = read(_read(file), options)
    _bring_in(found, Target(url, token), dry_run, replace, reason, wait, output)


def import_openapi(
    file: File,
    name: Name = "",
    server: Annotated[str, typer.Option(help="The URL to use in place of its servers.")] = "",
    variable: Variable = [],  # noqa: B006 - as above
    host: Host = [],  # noqa: B006 - as above
    keep_hosts: KeepHosts = False,
    dry_run: DryRun = False,
    replace: Replace = False,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Make routes and upstreams of an OpenAPI document 3.0 or 3.1, as one change."""
    from plugbay.control.interchange import Options
    from plugbay.control.interchange import import_openapi as read

    options = Options(
        name=name,
        variables=assigned(variable),
        hosts=tuple(host),
        keep_hosts=keep_hosts,
        server=server,
    )
    found = read(_read(file), options)
    _bring_in(found, Target(url, token), dry_run, replace, reason, wait, output)


def export_postman(
    file: Annotated[Path | None, typer.Argument(help="Default: standard output.")] = None,
    base_url: Annotated[
        str, typer.Option(help="Where the gateway is, for the requests.")
    ] = "http://localhost:8080",
    name: Annotated[str, typer.Option(help="The collection's name.")] = "Plugbay",
    url: Url = URL,
    token: Token = "",
) -> None:
    """Write the routes as a Postman collection v2.1; importing it again gives the same ones."""
    from plugbay.control.interchange import export_postman as write
    from plugbay.gateway import RouteSpec, UpstreamSpec

    if file is not None:
        file = target(file, "FILE")
    client = Target(url, token).client()
    routes = client.call("GET", "/routes").json["items"]
    upstreams = client.call("GET", "/upstreams").json["items"]
    collection = write(
        [convert(one["spec"], RouteSpec, what="route") for one in routes],
        [convert(one["spec"], UpstreamSpec, what="upstream") for one in upstreams],
        base_url=base_url,
        name=name,
    )
    if file is None:
        print_json(collection)
    else:
        file.write_text(json.dumps(collection, indent=2) + "\n", encoding="utf-8")


def _bring_in(
    found: Imported,
    target: Target,
    dry_run: bool,
    replace: bool,
    reason: str,
    wait: float,
    output: Format,
) -> None:
    """Plan what was found and, unless it is a dry run, apply it. Raises `Conflict`, `Invalid`."""
    import msgspec

    for remark in found.remarks:
        print(f"plugbay: {remark.where}: {remark.detail}", file=sys.stderr)
    if not found.routes:
        raise Invalid("nothing could be imported")
    content: dict[str, Any] = msgspec.to_builtins(
        {"routes": found.routes, "upstreams": found.upstreams}
    )
    client = target.client()
    planned = client.call("POST", "/plan", content)
    steps = planned.json["steps"]
    if output is Format.TABLE:
        print_steps(steps)
    taken = [f"{step['kind']}/{step['name']}" for step in steps if step["op"] == "replace"]
    if dry_run:
        if output is Format.JSON:
            print_json({**planned.json, "remarks": msgspec.to_builtins(found.remarks)})
        return
    if taken and not replace:
        raise Conflict(f"there already: {', '.join(taken)}; --replace, or another --name")
    if not steps:
        if output is Format.JSON:
            print_json(planned.json)
        return
    tag = planned.headers["etag"]
    operation = make_change(client, "POST", "/apply", content, reason=reason, wait=wait, tag=tag)
    finish(operation, output, wait=wait)


def _read(path: Path, name: str = "FILE") -> dict[str, Any]:
    """Read JSON, or YAML if that can be read here. Raises `Invalid`."""
    yaml = path.suffix in (".yaml", ".yml")
    form = "YAML" if yaml else "JSON (YAML is read from files *.yaml)"
    file = UserFile(path, name, f"a document in {form}")
    text = file.text()
    try:
        value: Any = _yaml(path, text) if yaml else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise file.wrong(f"what cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise file.wrong(f"no object, but a {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _yaml(path: Path, text: str) -> Any:
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError:
        raise Invalid(_YAML.format(path=path)) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid(f"{path} cannot be read: {error}") from error


def _environment(path: Path | None) -> dict[str, str]:
    """Return the values of a Postman environment. Raises `Invalid`."""
    if path is None:
        return {}
    document = _read(path, "--environment")
    if not isinstance(document.get("values"), list):
        expected = "a Postman environment"
        raise UserFile(path, "--environment", expected).wrong("JSON without a list `values`")
    found: dict[str, str] = {}
    for value in cast("list[object]", document["values"]):
        one = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        if one.get("key") and one.get("enabled", True):
            found[str(one["key"])] = str(one.get("value", ""))
    return found


def build_import() -> typer.Typer:
    """Return the commands of `plugbay import`."""
    commands = Commands("Routes from other tools' documents.")
    commands.add("postman", import_postman, "plugbay import postman shop.json --dry-run")
    commands.add(
        "openapi", import_openapi, "plugbay import openapi shop.yaml --server http://10.0.0.2"
    )
    return commands


def build_export() -> typer.Typer:
    """Return the commands of `plugbay export`."""
    commands = Commands("What is configured, as a file.")
    commands.add("document", export_document, "plugbay export document gateway.json")
    commands.add("postman", export_postman, "plugbay export postman shop.json")
    return commands
