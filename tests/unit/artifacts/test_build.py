"""Building: a wheel that every layer takes, the same bytes every time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts import Static, build_wheel
from plugbay.kernel import ArtifactState, Invalid

from .wheels import MANIFEST, SOURCE

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Bench

PYPROJECT = """\
[project]
name = "Plugbay.Hello"
version = "1.0.0"
description = "Greets."
requires-python = ">=3.11"
license = "Apache-2.0"
dependencies = ["plugbay>=0.1"]
[project.optional-dependencies]
dev = ["pytest>=8", "rich; python_version >= '3.11'"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    package = tmp_path / "project" / "src" / "plugbay_hello"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text(SOURCE)
    (package / "data" / 'a,"b".txt').write_text("data")
    facts = {"id": "hello", "version": "1.0.0", "package": "plugbay_hello"}
    (package / "plugbay.toml").write_text(MANIFEST.format(**facts))
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_bytes(b"x")
    (package / "old.pyc").write_bytes(b"x")
    (package / ".hidden").write_text("x")
    egg = tmp_path / "project" / "src" / "plugbay_hello.egg-info"
    egg.mkdir()
    (egg / "PKG-INFO").write_text("x")
    (tmp_path / "project" / "pyproject.toml").write_text(PYPROJECT)
    return tmp_path / "project"


def test_a_built_wheel_passes_every_layer(bench: Bench, project: Path, tmp_path: Path) -> None:
    wheel = build_wheel(project, tmp_path / "dist")
    assert wheel.name == "plugbay_hello-1.0.0-py3-none-any.whl"
    artifact = bench.check(wheel, *bench.layers(), Static())
    assert artifact.findings == ()
    assert artifact.state is ArtifactState.VALIDATED
    metadata = artifact.metadata
    assert metadata is not None
    assert (metadata.name, metadata.summary) == ("Plugbay.Hello", "Greets.")
    assert metadata.license == "Apache-2.0"
    assert metadata.requires_dist == (
        "plugbay>=0.1",
        "pytest>=8 ; extra == 'dev'",
        "rich ; (python_version >= '3.11') and extra == 'dev'",
    )


def test_the_bytes_do_not_depend_on_time_or_modes(project: Path, tmp_path: Path) -> None:
    first = build_wheel(project, tmp_path / "a").read_bytes()
    for path in project.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert build_wheel(project, tmp_path / "b").read_bytes() == first
    assert [path.name for path in (tmp_path / "b").iterdir()] == [
        "plugbay_hello-1.0.0-py3-none-any.whl"
    ]


def test_the_least_project_is_enough(bench: Bench, project: Path, tmp_path: Path) -> None:
    (project / "pyproject.toml").write_text("[project]\nname='plugbay_hello'\nversion='1.0'\n")
    assert bench.check(build_wheel(project, tmp_path)).state is ArtifactState.VALIDATED


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("[", "/pyproject.toml"),
        ("project = 1", "/project/name"),
        ("[project]\nversion = '1'", "/project/name"),
        ("[project]\nname = 'x'", "/project/version"),
        ("[project]\nname = 'x'\nversion = 'one'", "/project/version"),
        ("[project]\nname = 'x'\nversion = '1'\ndescription = 1", "/project/description"),
        ('[project]\nname = "x"\nversion = "1"\ndescription = "a\\nb"', "/project/description"),
        ("[project]\nname = 'x'\nversion = '1'\ndependencies = [1]", "/project/dependencies"),
    ],
)
def test_a_wrong_project_is_refused(project: Path, tmp_path: Path, text: str, pointer: str) -> None:
    (project / "pyproject.toml").write_text(text)
    with pytest.raises(Invalid) as error:
        build_wheel(project, tmp_path)
    assert error.value.problems[0].pointer == pointer


def test_what_a_project_must_have(project: Path, tmp_path: Path) -> None:
    package = project / "src" / "plugbay_hello"
    (package / "link").symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match="is a symbolic link"):
        build_wheel(project, tmp_path)
    (package / "link").unlink()
    (package / "plugbay.toml").unlink()
    with pytest.raises(Invalid, match=r"has no plugbay\.toml"):
        build_wheel(project, tmp_path)
    (project / "src").rename(project / "source")
    with pytest.raises(Invalid, match="has no src folder"):
        build_wheel(project, tmp_path)
    (project / "pyproject.toml").unlink()
    with pytest.raises(Invalid, match="cannot be read"):
        build_wheel(project, tmp_path)
