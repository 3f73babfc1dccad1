"""`plugbay plugin new`: a plugin that works, with its manifest and a test."""

from __future__ import annotations

import keyword
import re
from string import Template
from typing import TYPE_CHECKING

from plugbay.kernel import Conflict, Invalid
from plugbay.sdk import API

if TYPE_CHECKING:
    from pathlib import Path

ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
TAKEN = {"Config", "Plugin", "Request", "RequestFilter", "Response", "ResponseFilter"}
"""Names that the new module has anyway."""

PYPROJECT = Template("""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1.0"
description = "$summary"
requires-python = ">=3.11"

[tool.hatch.build.targets.wheel]
packages = ["src/$package"]

[tool.pytest.ini_options]
pythonpath = ["src"]
""")

MANIFEST = Template("""\
id = "$id"
version = "0.1.0"
api = $api
runtime = "$runtime"
entry = "$package:$cls"
summary = "$summary"
provides = ["request-filter", "response-filter"]

[order]
phase = "post-routing"
priority = 500
""")

SOURCE = Template('''\
"""$summary"""

from __future__ import annotations

from dataclasses import dataclass

from plugbay.sdk import Plugin, Request, RequestFilter, Response, ResponseFilter


@dataclass(frozen=True, slots=True)
class Config:
    greeting: str = "hello"


class $cls(Plugin[Config], RequestFilter, ResponseFilter):
    """Refuses requests for /forbidden and greets all others in a header field."""

    def on_request(self, request: Request) -> Response | None:
        if request.path == "/forbidden":
            return Response.problem(403, "Forbidden", detail="Nothing to see here.")
        return None

    def on_response(self, request: Request, response: Response) -> Response | None:
        response.headers.set("x-$id", self.config.greeting)
        return None
''')

TEST = Template('''\
"""The plugin does what its manifest promises."""

from __future__ import annotations

import asyncio

from $package import Config, $cls

from plugbay.sdk.testing import run_plugin


def test_it_greets() -> None:
    async def scenario() -> None:
        async with run_plugin($cls, Config(greeting="hi")) as plugin:
            assert (await plugin.request("GET", "/")).headers["x-$id"] == "hi"
            assert (await plugin.request("GET", "/forbidden")).status == 403

    asyncio.run(scenario())
''')


LOCK = """\
# What the plugin's own environment holds, each at one version with its hashes. Make it by
#   uv pip compile pyproject.toml --generate-hashes --no-emit-package plugbay -o THIS_FILE
# or: pip-compile --generate-hashes --unsafe-package plugbay -o THIS_FILE pyproject.toml
"""


def scaffold(folder: Path, *, process: bool = False) -> list[Path]:
    """Make a plugin project in `folder`, whose name is the plugin's id; return the files.

    With `process` the plugin runs in a process of its own, and has a lock for what it needs.
    Raises `Invalid` for a name that is no id and `Conflict` if the folder is not empty.
    """
    plugin = folder.resolve().name
    if not ID.fullmatch(plugin):
        raise Invalid(f"{plugin!r} is no plugin id: expected {ID.pattern}, e.g. my-filter")
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty; choose another folder")
    package = f"plugbay_{plugin.replace('-', '_')}"
    names = {
        "id": plugin,
        "api": API,
        "package": package,
        "distribution": package.replace("_", "-"),
        "cls": _class_name(plugin),
        "summary": f"The {plugin} plugin.",
        "runtime": "process" if process else "python",
    }
    files = {
        "pyproject.toml": PYPROJECT,
        f"src/{package}/__init__.py": SOURCE,
        f"src/{package}/plugbay.toml": MANIFEST,
        **({f"src/{package}/plugbay.lock": Template(LOCK)} if process else {}),
        f"tests/test_{package.removeprefix('plugbay_')}.py": TEST,
    }
    made: list[Path] = []
    for name, template in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template.substitute(names))
        made.append(path)
    return made


def _class_name(plugin: str) -> str:
    name = "".join(part.capitalize() for part in plugin.split("-"))
    return f"{name}Plugin" if name in TAKEN or keyword.iskeyword(name) else name
