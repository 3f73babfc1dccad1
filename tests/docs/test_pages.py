"""Pages: their links lead somewhere, their snippets work, their commands exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from plugbay.cli._root import build
from plugbay.settings import parse

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]


def blocks(kind: str) -> list[tuple[str, str]]:
    found = re.compile(rf"^ *```{kind}\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    return [
        (name, code)
        for name, path in zip(NAMES, PAGES, strict=True)
        for code in found.findall(path.read_text())
    ]


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(path.read_text()), f"{page}: {target}"


@pytest.mark.parametrize(("page", "code"), blocks("python run"))
def test_python_runs(page, code, tmp_path):
    script = tmp_path / "snippet.py"
    script.write_text(code)
    command = [sys.executable, "-W", "error", str(script)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert ran.returncode == 0, f"{page}\n{ran.stderr}"


@pytest.mark.parametrize(("page", "code"), blocks("toml gateway"))
def test_settings_are_taken(page, code):
    lists = code.count("[[upstreams]]"), code.count("[[routes]]")
    settings = parse(code, {}, what=page)
    assert (len(settings.upstreams), len(settings.routes)) == lists


@pytest.mark.parametrize(("page", "code"), blocks("sh(?: fails)?"))
def test_commands_and_their_options_exist(page, code):
    for line in code.splitlines():
        words = shlex.split(line.partition("  #")[0].partition(" > ")[0].rstrip(" &"))
        if not words or words[0] != "plugbay":
            continue
        command = typer.main.get_command(build())
        rest = words[1:]
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        assert not getattr(command, "commands", {}), f"{page}: {line}"
        known = {option for param in command.params for option in param.opts}
        own = rest[: rest.index("--")] if "--" in rest else rest  # what follows is another's
        used = {word.partition("=")[0] for word in own if word.startswith("-")}
        assert used <= known, f"{page}: {line}"


def test_decisions_are_one_page():
    for path in (ROOT / "docs/design").glob("*.md"):
        assert len(path.read_text().splitlines()) <= 60, path
