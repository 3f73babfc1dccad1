"""A new plugin works at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest

from plugbay.artifacts import build_wheel
from plugbay.cli._scaffold import scaffold
from plugbay.kernel import Conflict, Invalid


def test_its_files_agree(tmp_path):
    made = scaffold(tmp_path / "my-filter")
    assert [path.relative_to(tmp_path / "my-filter").as_posix() for path in made] == [
        "pyproject.toml",
        "src/plugbay_my_filter/__init__.py",
        "src/plugbay_my_filter/plugbay.toml",
        "tests/test_my_filter.py",
    ]
    project = tomllib.loads(made[0].read_text())["project"]
    manifest = tomllib.loads(made[2].read_text())
    assert project["name"] == "plugbay-my-filter"
    assert (manifest["id"], manifest["version"]) == ("my-filter", project["version"])
    assert manifest["entry"] == "plugbay_my_filter:MyFilter"
    wheel = build_wheel(tmp_path / "my-filter", tmp_path)
    assert wheel.name == "plugbay_my_filter-0.1.0-py3-none-any.whl"


@pytest.mark.parametrize("name", ["plugin", "request-filter", "none", "a1-2b"])
def test_its_own_test_passes_whatever_it_is_called(tmp_path, name):
    scaffold(tmp_path / name)
    # Plugins of pytest that happen to be here take seconds to load; Plugbay's is found by itself.
    others = ("cacheprovider", "schemathesis", "hypothesispytest", "faker", "anyio", "xdist")
    left_out = [f"-pno:{one}" for one in others]
    command = [sys.executable, "-m", "pytest", "-q", *left_out]
    ran = subprocess.run(
        command, cwd=tmp_path / name, capture_output=True, text=True, env=dict(os.environ)
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


@pytest.mark.parametrize("name", ["My", "1a", "a_b", "a--b", "a-"])
def test_a_name_that_is_no_id(tmp_path, name):
    with pytest.raises(Invalid, match="no plugin id"):
        scaffold(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_the_folder_it_is_called_in(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    scaffold(folder.relative_to(folder))
    assert (folder / "src" / "plugbay_here" / "plugbay.toml").is_file()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("precious")
    with pytest.raises(Conflict, match="not empty"):
        scaffold(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes"]
