"""The layer `platform`: what this gateway cannot run, and what to do instead."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from plugbay.artifacts import Form, ManifestLayer, Platform, Static
from plugbay.artifacts._provided import modules_of, offering, satisfied

from .wheels import MANIFEST, METADATA, SOURCE, WHEEL, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts import Finding

    from .conftest import Bench


def findings(bench: Bench, wheel: Path) -> tuple[Finding, ...]:
    artifact = bench.check(wheel)
    assert artifact.layers[1].result == "passed"
    return artifact.findings


@pytest.mark.parametrize(
    ("metadata", "detail"),
    [
        ("Requires-Python: >=9\n", "made for another Python"),
        ("Requires-Python: soon\n", "Requires-Python is no specifier"),
        ("Requires-Dist: no-such-thing>=2\n", "dependencies of its own"),
        ('Requires-Dist: no-such; python_version >= "3"\n', "dependencies of its own"),
        ("Requires-Dist: packaging<1\n", "dependencies of its own"),
        ("Requires-Dist: packaging @ https://example.com/x.whl\n", "dependencies of its own"),
        ("Requires-Dist: jsonschema[no-such]\nRequires-Dist: nothing\n", "own: nothing"),
        (f"Requires-Python: >={'1' * 5000}\n", "Requires-Python is no specifier"),
        ("Requires-Dist: nothing\n" * 101, "too many dependencies"),
        ("Requires-Dist: x; python_full_version ~= 'a'\n", "an unreadable Requires-Dist"),
        ("Requires-Dist: plugbay>=99\n", "made for another Plugbay"),
        ("Requires-Dist: ???\n", "an unreadable Requires-Dist"),
    ],
)
def test_what_the_metadata_asks_for(
    bench: Bench, tmp_path: Path, metadata: str, detail: str
) -> None:
    text = METADATA.replace("Requires-Python: >=3.11\n", metadata)
    (finding,) = findings(bench, make_wheel(tmp_path, metadata=text))
    assert detail in finding.detail
    assert finding.remedy


def test_a_dependency_names_the_runtime_that_can(bench: Bench, tmp_path: Path) -> None:
    text = METADATA + "Requires-Dist: no-such-thing>=2\nRequires-Dist: rich>=900\n"
    found = findings(bench, make_wheel(tmp_path, metadata=text))
    assert [finding.expected for finding in found] == ["no-such-thing>=2", "rich>=900"]
    assert found[0].found == "not installed here"
    assert found[1].found == f"rich {metadata.version('rich')}"
    assert "pip install 'no-such-thing>=2'" in found[0].remedy
    assert all('runtime = "process"' in finding.remedy for finding in found)


def test_an_extra_of_the_gateway_is_named(bench: Bench, tmp_path: Path) -> None:
    text = METADATA + "Requires-Dist: maxminddb>=900\n"
    (finding,) = findings(bench, make_wheel(tmp_path, metadata=text))
    assert "pip install 'plugbay[protection]'" in finding.remedy


def test_what_the_operator_has_installed_is_there_for_plugins(bench: Bench, tmp_path: Path) -> None:
    """Also to be imported: no warning, for the declared package only."""
    text = METADATA + "Requires-Dist: packaging>=20\n"
    source = f"import packaging.version\nimport rich\n{SOURCE}"
    wheel = make_wheel(tmp_path, metadata=text, source=source)
    layers = (Form(), ManifestLayer(), Platform(), Static())
    artifact = bench.check(wheel, *layers)
    assert artifact.state == "validated", artifact.findings
    assert [finding.found for finding in artifact.findings] == ["rich"]


def test_the_sdk_and_extras_are_no_dependencies(bench: Bench, tmp_path: Path) -> None:
    text = METADATA + (
        "Requires-Dist: plugbay>=0.1\nProvides-Extra: dev\n"
        "Requires-Dist: pytest ; extra == 'dev'\n"
        "Requires-Dist: pywin32 ; sys_platform == 'win32'\n"
    )
    assert findings(bench, make_wheel(tmp_path, metadata=text)) == ()


def test_an_extra_counts_with_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "made_up-1.5.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: made-up\nVersion: 1.5\n"
        'Requires-Dist: packaging; extra == "good"\nRequires-Dist: no-such; extra == "bad"\n'
        "Requires-Dist: ???\n"
    )
    (folder / "RECORD").write_text("made_up/__init__.py,,\nmade_up-1.5.dist-info/METADATA,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert satisfied(Requirement("made-up[good]>=1"))
    assert not satisfied(Requirement("made-up[bad]>=1"))
    assert not satisfied(Requirement("made-up>=2"))
    assert modules_of(Requirement("made-up")) == {"made_up"}
    assert modules_of(Requirement("no-such")) == frozenset()
    assert offering("made-up") == ""
    assert offering("PyMongo") == "gridfs"


@pytest.mark.parametrize(
    "wheel",
    [
        WHEEL.replace("py3-none-any", "cp311-cp311-manylinux_2_28_x86_64"),
        WHEEL.replace("py3-none-any", "py2-none-any"),
        WHEEL.replace("py3-none-any", "py3-none-win32"),
        WHEEL.replace("py3-none-any", "nonsense"),
        WHEEL.replace("py3-none-any", "-".join([".".join("x" * 2000)] * 3)),
        WHEEL.replace("true", "false"),
    ],
)
def test_a_wheel_that_is_not_pure(bench: Bench, tmp_path: Path, wheel: str) -> None:
    (finding,) = findings(bench, make_wheel(tmp_path, wheel=wheel))
    assert finding.detail == "not a pure Python wheel"
    assert 'runtime = "process"' in finding.remedy


def test_a_wheel_for_python_2_and_3_is_pure(bench: Bench, tmp_path: Path) -> None:
    wheel = WHEEL.replace("py3-none-any", "py2.py3-none-any")
    assert findings(bench, make_wheel(tmp_path, wheel=wheel)) == ()


def test_a_wheel_for_this_python_is_pure(bench: Bench, tmp_path: Path) -> None:
    tag = f"cp3{sys.version_info.minor}-none-any"
    wheel = WHEEL.replace("py3-none-any", tag)
    assert findings(bench, make_wheel(tmp_path, wheel=wheel)) == ()


def test_every_native_file_is_named(bench: Bench, tmp_path: Path) -> None:
    names = ["plugbay_hello/a.so", "plugbay_hello/b.pyd", "plugbay_hello/libc.so.6"]
    found = findings(bench, make_wheel(tmp_path, files=dict.fromkeys(names, "x")))
    assert [finding.found for finding in found] == names


def test_an_unknown_api_and_runtime(bench: Bench, tmp_path: Path) -> None:
    text = MANIFEST.replace("api = 1", "api = 99").replace('"python"', '"wasm"')
    text = text.format(id="hello", version="1.0.0", package="plugbay_hello")
    found = findings(bench, make_wheel(tmp_path, manifest=text))
    assert [(finding.pointer, finding.found) for finding in found] == [
        ("/api", "99"),
        ("/runtime", "wasm"),
    ]


def test_other_runtimes_are_not_bound_to_pure_python(bench: Bench, tmp_path: Path) -> None:
    text = MANIFEST.replace('"python"', '"process"')
    text = text.format(id="hello", version="1.0.0", package="plugbay_hello")
    metadata = METADATA + "Requires-Dist: numpy\n"
    wheel = make_wheel(tmp_path, manifest=text, metadata=metadata)
    layers = (Form(), ManifestLayer(), Platform(("python", "process")))
    assert bench.check(wheel, *layers).findings == ()
