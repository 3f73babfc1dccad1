"""`plugbay plugin push`: upload, and maybe enable or swap."""

from __future__ import annotations

import sys
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugbay.cli._client import AdminClient, segment
from plugbay.cli._document import read_document
from plugbay.cli._operation import conclude, make_change, print_operation
from plugbay.cli._options import URL, Output, Reason, Token, Url, Wait
from plugbay.cli._output import Format, print_json
from plugbay.cli._project import (
    ForWheel,
    Manifest,
    What,
    declared,
    print_layers,
    wheel_of,
)
from plugbay.cli._session import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.cli._client import Reply


def push(
    what: What = Path(),
    enable: Annotated[
        bool, typer.Option("--enable", help="Enable this version, or swap to it.")
    ] = False,
    manifest: Manifest = None,
    runtime: ForWheel = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML or JSON file with the configuration: the plugin is tried with it, and with "
            "--enable it runs so.",
        ),
    ] = None,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Upload a plugin; print what each validation layer says."""
    tried_with = None if config is None else read_document(config, "--config")
    wish = {} if tried_with is None else {"config": tried_with}
    client = Target(url, token).client()
    with tempfile.TemporaryDirectory(prefix="plugbay-push-") as scratch:
        found = wheel_of(what, Path(scratch))
        reply = _upload(client, found, declared(manifest, runtime), tried_with)
    artifact: dict[str, Any] = reply.json
    if output is Format.TABLE:
        print_layers(artifact)
        if reply.status == HTTPStatus.OK:
            print("it was here already" + ("; tried with --config now" if config else ""))
    operation = _run(client, artifact, wish, reason, wait) if enable else None
    if output is Format.JSON:
        print_json(
            artifact if operation is None else {"artifact": artifact, "operation": operation}
        )
    elif operation is not None:
        print_operation(operation)
    if operation is not None:
        conclude(operation, wait=wait)


def _run(
    client: AdminClient,
    artifact: Mapping[str, Any],
    wish: Mapping[str, Any],
    reason: str,
    wait: float,
) -> dict[str, Any]:
    path = f"/plugins/{segment(artifact['plugin'])}"
    content = {"digest": artifact["digest"], "comment": reason, **wish}
    tag = client.tag(path)
    return make_change(client, "PUT", path, content, reason=reason, wait=wait, tag=tag)


def _upload(
    client: AdminClient, wheel: Path, manifest: bytes, config: Mapping[str, Any] | None
) -> Reply:
    # Imported here: no other command draws it.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    signature = wheel.with_name(f"{wheel.name}.sig")  # what `plugbay sign` has written
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    # On standard error and only for people: what is piped stays clean.
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task(wheel.name, total=wheel.stat().st_size)
        return client.upload(
            wheel,
            manifest=manifest,
            config=config,
            signature=signature.read_bytes() if signature.is_file() else b"",
            progress=lambda sent: bar.update(task, completed=sent),
        )
