"""The reference is what the code says, and names everything there is."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
import typing
from urllib.request import urlopen

import pytest
import typer.main

import plugbay.kernel as kernel
from plugbay import __version__
from plugbay.admin._app import _routes
from plugbay.admin._openapi import describe
from plugbay.cli._root import build
from plugbay.settings import Settings


@pytest.fixture
def page(root):
    return lambda name: (root / "docs/reference" / f"{name}.md").read_text()


def test_it_is_fresh(root):
    command = [sys.executable, str(root / "scripts/reference.py"), "--check"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_every_command_and_option(page):
    def walk(command, path):
        inner = getattr(command, "commands", {})
        if not inner:
            yield path, command
        for name, one in inner.items():
            yield from walk(one, [*path, name])

    sections = dict(re.findall(r"^## `(.+?)`\n(.*?)(?=^## |\Z)", page("cli"), re.M | re.S))
    root = typer.main.get_command(build())
    commands = {" ".join(path): one for path, one in walk(root, ["plugbay"])}
    assert sections.keys() == commands.keys()
    for path, command in commands.items():
        for param in command.params:
            for option in (opt for opt in param.opts if opt.startswith("--") and opt != "--help"):
                assert f"`{option}`" in sections[path], f"{path} {option}"


def test_every_setting(page):
    text = page("settings")
    queue = [Settings]
    for cls in queue:
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            assert f"`{field.name}`" in text, f"{cls.__name__}.{field.name}"
            for inner in (hints[field.name], *typing.get_args(hints[field.name])):
                if dataclasses.is_dataclass(inner) and inner not in queue:
                    queue.append(inner)
    assert len(queue) > 10


def test_every_error_code(page):
    codes = {
        value.code
        for value in vars(kernel).values()
        if isinstance(value, type) and issubclass(value, kernel.PlugbayError)
    }
    assert codes <= set(re.findall(r"^\| `([a-z-]+)` \|", page("errors"), re.M))
    assert len(codes) > 15


def test_every_route(page):
    text = page("http-api")
    paths = describe(_routes(), __version__)["paths"]
    routes = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    assert len(routes) > 40
    assert [route for route in routes if f"`{route}`" not in text] == []


def test_every_metric(page, root):
    """Whatever looks like a family's name in the source is on the page."""
    text = page("metrics")
    named: set[str] = set()
    others: set[str] = set()
    for file in (root / "src/plugbay/observability").glob("*.py"):
        source = file.read_text()
        others |= set(re.findall(r'ContextVar\(\s*"(\w+)"', source))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named |= set(re.findall(r"\Aplugbay_[a-z]+_[a-z_]*[a-z]\Z", node.value))
    named -= others
    assert len(named) > 20
    assert [name for name in named if f"`{name}`" not in text] == []


@pytest.mark.live
def test_a_running_gateway_exports_nothing_else(page, gateway):
    with urlopen(f"http://{gateway.facts['metrics']}/metrics", timeout=100) as answer:
        exported = set(re.findall(r"^# TYPE (\S+)", answer.read().decode(), re.M))
    assert exported
    assert [name for name in exported if f"`{name}`" not in page("metrics")] == []
