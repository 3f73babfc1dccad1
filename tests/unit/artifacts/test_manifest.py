"""The layer `manifest`: every wrong field has a finding that points at it, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plugbay.kernel import ArtifactState

from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts import Finding

    from .conftest import Bench

GOOD = """\
id = "hello"
version = "1.0.0"
api = 1
runtime = "python"
entry = "plugbay_hello:Hello"
provides = ["request-filter"]
"""


def findings(bench: Bench, tmp_path: Path, manifest: str, **parts: Any) -> list[Finding]:
    artifact = bench.check(make_wheel(tmp_path, manifest=manifest, **parts))
    results = {report.name: report.result for report in artifact.layers}
    assert results["form"] == "passed"
    assert (results["manifest"] == "failed") is (artifact.state is ArtifactState.REJECTED)
    return list(artifact.findings)


def test_a_full_manifest_is_read(bench: Bench, tmp_path: Path) -> None:
    text = (
        GOOD
        + 'summary = "x"\nreload = "exclusive"\non_error = "open"\n'
        + '[requires]\ngeoip = ">=1,<2"\n'
        + '[order]\nphase = "pre-routing"\npriority = 1\nbefore = ["a"]\nafter = ["b"]\n'
        + "[limits]\nmemory_mb = 1\nrequest_ms = 2\nstart_ms = 3\n"
        + '[permissions]\nnetwork = ["example.com:443"]\nsecrets = ["token"]\n'
    )
    artifact = bench.check(make_wheel(tmp_path, manifest=text))
    assert artifact.findings == ()
    assert artifact.manifest is not None
    assert artifact.manifest.order.phase == "pre-routing"
    assert artifact.manifest.requires == {"geoip": ">=1,<2"}
    assert artifact.manifest.permissions.secrets == ("token",)


@pytest.mark.parametrize(
    ("old", "new", "pointer", "detail"),
    [
        ('id = "hello"', 'id = "Hello"', "/id", "no plugin id"),
        ('id = "hello"', 'id = "he_llo"', "/id", "no plugin id"),
        ('id = "hello"', "id = 7", "/id", "Expected `str`"),
        ('id = "hello"\n', "", "/id", "missing"),
        ('"1.0.0"', '"1.0.1"', "/version", "not the wheel's version"),
        ('"1.0.0"', '"one"', "/version", "no version"),
        ('"1.0.0"', '"' + "1" * 5000 + '"', "/version", "no version"),
        ("api = 1", "api = 0", "/api", "no API version"),
        ("api = 1", 'api = "1"', "/api", "Expected `int`"),
        ("api = 1", "api = true", "/api", "Expected `int`"),
        ('"python"', '"perl"', "/runtime", "Invalid enum value"),
        ("plugbay_hello:Hello", "plugbay_hello", "/entry", "no entry point"),
        ("plugbay_hello:Hello", "plugbay_hello:", "/entry", "no entry point"),
        ("plugbay_hello:Hello", ":Hello", "/entry", "no entry point"),
        ("plugbay_hello:Hello", "plugbay_hello:class", "/entry", "no entry point"),
        ("plugbay_hello:Hello", "plugbay_hello:A:B", "/entry", "no entry point"),
        ("plugbay_hello:Hello", "plugbay_helo:Hello", "/entry", "no module plugbay_helo"),
        ('["request-filter"]', "[]", "/provides", "provides nothing"),
        ('["request-filter"]', '["request-filer"]', "/provides/0", "Invalid enum value"),
        ('["request-filter"]', '["observer", "observer"]', "/provides/1", "named twice"),
        ('["request-filter"]', '"request-filter"', "/provides", "Expected `array`"),
    ],
)
def test_a_wrong_field_is_pointed_at(
    bench: Bench, tmp_path: Path, old: str, new: str, pointer: str, detail: str
) -> None:
    assert old in GOOD
    (finding,) = findings(bench, tmp_path, GOOD.replace(old, new))
    assert finding.pointer == pointer
    assert detail in finding.detail
    assert finding.remedy


@pytest.mark.parametrize(
    ("more", "pointer", "detail"),
    [
        ("summry = 1", "/summry", "unknown key"),
        ("zzz = 1", "/zzz", "unknown key"),
        ('"a/b~c" = 1', "/a~1b~0c", "unknown key"),
        ("[order]\npriority = 1" + "0" * 30, "/order/priority", "out of range"),
        ("[requires]\ngeoip = '>=" + "1" * 5000 + "'", "/requires/geoip", "no version specifier"),
        ("[order]\npriority = 0x" + "f" * 9000, "/order/priority", "out of range"),
        ("[requires]\ngeoip = 0x" + "f" * 9000, "/requires", "Expected `str`"),
        ("order = 5", "/order", "Expected `object`"),
        ("[order]\nphase = 'late'", "/order/phase", "Invalid enum value"),
        ("[order]\nbefor = []", "/order/befor", "unknown key"),
        ("[order]\nbefore = ['A']", "/order/before/0", "no plugin id"),
        ("[order]\nafter = ['x', 'hello']", "/order/after/1", "cannot run after itself"),
        ("[order]\nbefore = ['x']\nafter = ['x']", "/order", "both before and after"),
        ("[limits]\nmemory_mb = 0", "/limits/memory_mb", "out of range"),
        ("[limits]\nrequest_ms = -1", "/limits/request_ms", "out of range"),
        ("[limits]\nstart_ms = 99999999", "/limits/start_ms", "out of range"),
        ("[limits]\nstart_ms = 1.5", "/limits/start_ms", "Expected `int`"),
        ("[requires]\nX = '>=1'", "/requires/X", "no plugin id"),
        ("[requires]\nhello = '>=1'", "/requires/hello", "cannot require itself"),
        ("[requires]\ngeoip = 'one'", "/requires/geoip", "no version specifier"),
        ("[requires]\ngeoip = 1", "/requires", "Expected `str`"),
        ("[permissions]\nnetwork = ['']", "/permissions/network/0", "empty or padded"),
        ("[permissions]\nsecrets = [' x']", "/permissions/secrets/0", "empty or padded"),
        ("on_error = 'shrug'", "/on_error", "Invalid enum value"),
        ("reload = 'hot'", "/reload", "Invalid enum value"),
    ],
)
def test_a_wrong_optional_field_is_pointed_at(
    bench: Bench, tmp_path: Path, more: str, pointer: str, detail: str
) -> None:
    (finding,) = findings(bench, tmp_path, GOOD + more)
    assert finding.pointer.startswith(pointer)
    assert detail in finding.detail


def test_every_wrong_field_is_named_at_once(bench: Bench, tmp_path: Path) -> None:
    text = (
        "id = 1\nversion = 2\nap = 1\nruntime = 'x'\n[order]\nphase = 1\nprio = 2\n[limits]\nx = 1"
    )
    found = {finding.pointer for finding in findings(bench, tmp_path, text)}
    assert found == {
        "/id",
        "/version",
        "/ap",
        "/api",
        "/runtime",
        "/entry",
        "/order/phase",
        "/order/prio",
        "/limits/x",
    }


def test_every_wrong_claim_is_named_at_once(bench: Bench, tmp_path: Path) -> None:
    text = GOOD.replace('"hello"', '"H"').replace("1.0.0", "2").replace("api = 1", "api = -1")
    found = [finding.pointer for finding in findings(bench, tmp_path, text)]
    assert found == ["/id", "/version", "/api"]


def test_a_typo_is_guessed(bench: Bench, tmp_path: Path) -> None:
    (finding,) = findings(bench, tmp_path, GOOD + "sumary = 'x'")
    assert finding.remedy == "did you mean 'summary'?"


def test_a_wheel_is_for_no_other_runtime(bench: Bench, tmp_path: Path) -> None:
    text = GOOD.replace('"python"', '"goso"')
    artifact = bench.check(make_wheel(tmp_path, manifest=text))
    assert [(finding.pointer) for finding in artifact.findings] == ["/runtime"]
    assert artifact.layers[2].result == "failed"


def test_a_wheel_in_a_process_of_its_own_is_entered_by_its_class(
    bench: Bench, tmp_path: Path
) -> None:
    text = GOOD.replace('"python"', '"process"').replace("plugbay_hello:Hello", "bin/hello")
    assert [found.pointer for found in findings(bench, tmp_path, text)] == ["/entry"]


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0.0"])
def test_versions_are_compared_as_versions(bench: Bench, tmp_path: Path, version: str) -> None:
    assert findings(bench, tmp_path, GOOD.replace("1.0.0", version)) == []


@pytest.mark.parametrize("text", ["id = ", "[", "x = " + "[" * 5000, "id = '\x01'", "a = 1\na = 2"])
def test_what_is_no_toml_is_refused(bench: Bench, tmp_path: Path, text: str) -> None:
    (finding,) = findings(bench, tmp_path, text)
    assert "is no TOML" in finding.detail
    assert finding.found


def test_a_manifest_in_another_encoding_is_refused(bench: Bench, tmp_path: Path) -> None:
    files = {"plugbay_hello/plugbay.toml": "id = 'é'".encode("latin-1")}
    (finding,) = findings(bench, tmp_path, "", files=files)
    assert "is no TOML" in finding.detail


def test_a_huge_manifest_is_refused(bench: Bench, tmp_path: Path) -> None:
    text = GOOD + "# " + "".join(f"{n:x}" for n in range(20_000))
    (finding,) = findings(bench, tmp_path, text)
    assert "too large" in finding.detail


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"plugbay.toml": GOOD},
        {"plugbay_hello/deep/plugbay.toml": GOOD},
        {"plugbay_hello/plugbay.toml": GOOD, "other/plugbay.toml": GOOD},
    ],
)
def test_the_manifest_is_there_once_in_the_package(
    bench: Bench, tmp_path: Path, files: dict[str, str]
) -> None:
    (finding,) = findings(bench, tmp_path, "", files=files)
    assert "needs one plugbay.toml" in finding.detail
    assert finding.found == (", ".join(sorted(files)) or "none")
