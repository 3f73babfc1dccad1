"""How a command ends: the exit code and one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plugbay.cli import main
from plugbay.cli._root import build

SPARE = {"PLUGBAY_ADMIN_URL": "http://127.0.0.1:9", "PLUGBAY_TOKEN": "x"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["check", "no-such-file.toml"], 1),
        (["keygen", "/proc/no/key"], 1),
        (["plugin", "frobnicate"], 2),
        (["plugin", "reload", "hello"], 3),
    ],
)
def test_in_a_process_of_its_own(arguments, code, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "plugbay", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **SPARE},
    )
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr
    assert bool(ran.stderr) == bool(code)


@pytest.mark.parametrize(("status", "code"), [(401, 4), (403, 4), (404, 1), (409, 1), (500, 1)])
def test_by_what_the_gateway_says(api, cli, status, code):
    api.on("GET", "/plugins", {"title": "No", "detail": "why"}, status)
    outcome = cli("plugin", "list")
    assert outcome.code == code
    wanted = "plugbay: No: plugbay login, or give --token" if status == 401 else "plugbay: No: why"
    assert outcome.err == f"{wanted}\n"


@pytest.mark.parametrize(
    "arguments",
    [["plugin", "list", "-o", "xml"], ["plugin", "logs"], ["bench"], ["plugin", "pull", "no"]],
)
def test_usage(cli, arguments):
    assert cli(*arguments).code == 2


def every_command() -> list[list[str]]:
    import typer.main

    def walk(command, path):
        yield path
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, [*path, name])

    return list(walk(typer.main.get_command(build()), []))


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_every_command_has_short_and_long_help_of_80_columns(cli, path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    short, long = cli(*path, "-h"), cli(*path, "--help")
    assert (short.code, long.code) == (0, 0)
    assert short.out == long.out
    assert "Usage: plugbay" in short.out
    for line in short.out.splitlines():
        assert len(line) <= 80
        assert not line.endswith("...") or line.startswith("Usage")  # nothing is cut


def test_settings_are_named_one_way_everywhere(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other.toml"
    other.write_text("")
    for given in (["--config", other], ["-c", other], [other], [other, "-c", other]):
        assert cli("check", *given).out.startswith(f"{other}: good: ")
    assert cli("check", other, "-c", "gateway.toml").code == 1
    missing = "--config {}: expected settings (TOML), found nothing there."
    for command, path in (
        (["check"], "gateway.toml"),
        (["serve", "-c", "no"], "no"),
        (["mcp", "tools", "--name", "x", "-c", "no"], "no"),
    ):
        outcome = cli(*command)
        assert outcome.code == 1
        assert missing.format(path) in outcome.err


def test_the_short_form_of_json(cli, api):
    api.on("GET", "/plugins", {"items": [], "next": None})
    assert cli("plugin", "list", "--json").out == cli("plugin", "list", "-o", "json").out == "[]\n"
    # Where `--output` is a file, and behind `--`, it is nothing special.
    assert cli("audit", "export", "--json").code == 2


def test_the_entry_point(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["plugbay", "--version"])
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, capsys.readouterr().out.split()[0]) == (0, "plugbay")


def test_check_names_the_key_that_is_wrong(cli, tmp_path):
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('[[upstreams]]\nname = "a"\n[[upstreams.targets]]\naddress = "h:1"\n')
    bad.write_text("wrokers = 2")
    assert (
        cli("check", good).out == f"{good}: good: 1 listeners, 1 upstreams, 0 routes, 0 plugins\n"
    )
    outcome = cli("check", bad)
    assert (outcome.code, outcome.out) == (1, "")
    assert "/wrokers" in outcome.err


def test_new_and_build(cli, tmp_path):
    made = cli("plugin", "new", tmp_path / "my-filter")
    assert (made.code, made.out.count("\n")) == (0, 6)
    assert cli("plugin", "new", tmp_path / "my-filter").code == 1
    built = cli("plugin", "build", tmp_path / "my-filter")
    wheel = Path(built.out.strip())
    assert wheel == tmp_path / "my-filter/dist/plugbay_my_filter-0.1.0-py3-none-any.whl"
    again = cli("plugin", "build", tmp_path / "my-filter", "--out", tmp_path / "again")
    assert Path(again.out.strip()).read_bytes() == wheel.read_bytes()


def test_check_runs_the_plugin_and_says_what_is_wrong_with_it(cli, tmp_path):
    folder = tmp_path / "my-filter"
    cli("plugin", "new", folder)
    good = cli("plugin", "check", folder)
    assert good.code == 0, good.out + good.err
    assert good.out.splitlines()[-1].endswith("validated")
    assert good.out.splitlines()[-2].split()[:2] == ["trial", "passed"]
    source = folder / "src/plugbay_my_filter/__init__.py"
    broken = source.read_text().replace('set("x-', 'no_such_method("x-')
    source.write_text(broken + '\nraise RuntimeError("at import")\n')
    bad = cli("plugin", "check", folder, "-o", "json")
    assert (bad.code, bad.json["state"]) == (1, "rejected")
    details = [one["detail"] for layer in bad.json["layers"] for one in layer["findings"]]
    assert any("at import" in detail for detail in details)
