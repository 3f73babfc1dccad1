"""`plugbay plugin new`, `build` and `check`: what an author does without a gateway."""

from __future__ import annotations

import asyncio
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugbay.cli._files import UserFile, user_folder
from plugbay.cli._output import Format, error_line, print_json, print_rows
from plugbay.cli._scaffold import scaffold
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

from plugbay.cli._options import Output

Folder = Annotated[Path, typer.Argument(help="A plugin project.")]
What = Annotated[
    Path,
    typer.Argument(help="A project, a wheel or a binary."),
]
Manifest = Annotated[
    Path | None, typer.Option(help="plugbay.toml for a binary, which has none inside.")
]
PROJECT = "plugbay plugin new NAME makes one"


class WheelRuntime(StrEnum):
    """Where a wheel runs."""

    IN_PROCESS = "in-process"
    PROCESS = "process"


ForWheel = Annotated[
    WheelRuntime | None,
    typer.Option("--runtime", help="Where a wheel shall run; default: as its manifest says."),
]


def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make; its name is the plugin's id.")],
    runtime: Annotated[
        WheelRuntime, typer.Option(help="In the gateway, or in a process with dependencies.")
    ] = WheelRuntime.IN_PROCESS,
) -> None:
    """Make a new plugin project: source, manifest and a test that passes."""
    for path in scaffold(folder, process=runtime is WheelRuntime.PROCESS):
        print(path)
    print(f"\nNext: plugbay plugin check {folder} && plugbay plugin push {folder} --enable")


def build(
    folder: Folder = Path(),
    out: Annotated[
        Path | None, typer.Option(help="Where to put the wheel; default: dist in the project.")
    ] = None,
) -> None:
    """Build the project's wheel, the same bytes every time."""
    project = user_folder(folder, "FOLDER", "a plugin project", PROJECT)
    print(wheel_of(project, out or project / "dist"))


def check(
    what: What = Path(),
    manifest: Manifest = None,
    runtime: ForWheel = None,
    output: Output = Format.TABLE,
) -> None:
    """Run every validation layer here, as an upload would; exit with 1 if one refuses it."""
    # Imported here: only this command runs the plugin's code, in a child process.
    from plugbay.app.check import check_artifact

    with tempfile.TemporaryDirectory(prefix="plugbay-check-") as scratch:
        wheel = wheel_of(what, Path(scratch))
        said = declared(manifest, runtime) or None
        report = asyncio.run(check_artifact(wheel, Path(scratch), said))
    if output is Format.JSON:
        print_json(report)
    else:
        print_layers(report)
    if report["state"] != "validated":
        raise typer.Exit(1)


def declared(manifest: Path | None, runtime: WheelRuntime | None) -> bytes:
    """Return what is declared with an upload: a binary's manifest, or where a wheel is to run."""
    if runtime is None:
        return UserFile(manifest, "--manifest", "a plugbay.toml").read() if manifest else b""
    if manifest is not None:
        raise Invalid("a wheel has its manifest inside: leave --manifest out")
    name = "process" if runtime is WheelRuntime.PROCESS else "python"
    return f'runtime = "{name}"\n'.encode()


def wheel_of(what: Path, scratch: Path) -> Path:
    """Return a project's wheel, built into `scratch`; a file is returned as it is."""
    # Imported here: what builds and judges artifacts takes its time to load.
    from plugbay.artifacts import build_wheel

    if what.is_dir():
        if not (what / "pyproject.toml").is_file():
            project = UserFile(what, "the folder", "a plugin project", PROJECT)
            raise project.wrong("no pyproject.toml in it")
        return build_wheel(what, scratch)
    return UserFile(what, "WHAT", "a plugin project, a wheel or a binary", PROJECT).check()


def print_layers(artifact: Mapping[str, Any]) -> None:
    """Print what each validation layer says of an artifact, and its verdict."""
    rows = [
        {"layer": layer["name"], "result": layer["result"], "ms": layer["ms"]}
        for layer in artifact["layers"]
    ]
    print_rows(rows, ("layer", "result", "ms"), Format.TABLE, empty="no layer was run")
    for layer in artifact["layers"]:
        for finding in layer["findings"]:
            print(f"  {layer['name']}: {finding['severity']}: {error_line(finding)}")
    name = f"{artifact['plugin']} {artifact['version']}".strip() or artifact["filename"]
    print(f"{name}  {artifact['digest'][:16]}  {artifact['state']}")
