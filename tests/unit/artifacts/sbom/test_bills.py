"""Bills of artifacts in a real store."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests import go_binaries

from plugbay.artifacts.sbom import Bills, Wanted
from plugbay.kernel import Conflict, NotFound

from ..binaries import PROCESS
from ..wheels import METADATA, make_wheel
from .cyclonedx import check

if TYPE_CHECKING:
    from pathlib import Path

    from ..conftest import Bench

INFO = "plugbay_hello-1.0.0.dist-info/sboms"
NEEDS = METADATA + "Requires-Dist: packaging\n"


def bill(*components: dict[str, str], **more: Any) -> str:
    said = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}
    return json.dumps({**said, **more})


OPENSSL = bill({"type": "library", "name": "openssl", "version": "3.0.1"})


def document(bench: Bench, digest: str) -> dict[str, Any]:
    found = asyncio.run(Bills(bench.store).document(digest))
    read: dict[str, Any] = json.loads(found.raw)
    return read


def shipped(bench: Bench, name: str, versions: str = "") -> list[tuple[str, str, bool]]:
    found = asyncio.run(Bills(bench.store).ships(Wanted(name, versions)))
    return [(one.artifact.plugin, one.part.version, one.certain) for one in found]


@pytest.mark.parametrize("place", [f"{INFO}/auditwheel.cdx.json", "plugbay_hello/sbom.cdx.json"])
def test_a_wheel_that_brings_one_is_described_by_it(
    bench: Bench, tmp_path: Path, place: str
) -> None:
    wheel = make_wheel(tmp_path, metadata=NEEDS, files={place: OPENSSL})
    artifact = bench.check(wheel)
    found = asyncio.run(Bills(bench.store).document(artifact.digest))
    assert (found.raw.decode(), found.spec) == (OPENSSL, "1.5")
    assert shipped(bench, "openssl", "<3.0.2") == [("hello", "3.0.1", True)]
    # What the gateway itself knows is found all the same.
    assert [one[0] for one in shipped(bench, "packaging", ">1")] == ["hello"]


def test_several_are_one_document(bench: Bench, tmp_path: Path) -> None:
    other = bill({"name": "zlib"}, {"name": "zlib"}, {"name": "six", "purl": "pkg:pypi/six@1.0"})
    files = {f"{INFO}/a.json": OPENSSL, f"{INFO}/b.json": other}
    artifact = bench.check(make_wheel(tmp_path, metadata=NEEDS, files=files))
    found = document(bench, artifact.digest)
    check(found)
    names = [component["name"] for component in found["components"]]
    assert names == ["packaging", "openssl", "zlib", "six"]
    assert shipped(bench, "zlib", "<2") == [("hello", "", False)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "Expecting"),
        ("[]", "no JSON object"),
        ('{"spdxVersion": "SPDX-2.3"}', "no CycloneDX"),
        (bill(specVersion="9; x"), "no specVersion"),
        ('{"bomFormat": NaN}', "NaN is not JSON"),
        ("[" * 200_000, "recursion"),
        (hashlib.shake_256().hexdigest(2 << 20) + " ", "larger"),
    ],
)
def test_what_cannot_be_read_is_named(bench: Bench, tmp_path: Path, content: str, why: str) -> None:
    wheel = make_wheel(tmp_path, files={f"{INFO}/a.json": content})
    artifact = bench.check(wheel)
    assert artifact.state == "validated", artifact.findings
    found = document(bench, artifact.digest)
    check(found)
    (told,) = found["metadata"]["properties"]
    assert told["value"].startswith(f"{INFO}/a.json: ")
    assert why in told["value"]


def test_a_wheel_may_bring_sixteen(bench: Bench, tmp_path: Path) -> None:
    files = {f"{INFO}/{n:02}.json": OPENSSL for n in range(18)}
    artifact = bench.check(make_wheel(tmp_path, files=files))
    ignored = document(bench, artifact.digest)["metadata"]["properties"]
    assert [one["value"][:-1] for one in ignored] == [
        f"{INFO}/{n}.json: a wheel has at most 16 bill" for n in (16, 17)
    ]


def test_a_real_go_program(bench: Bench) -> None:
    data = go_binaries.program().read_bytes()
    artifact = asyncio.run(bench.judge(data, "sample", PROCESS))
    found = document(bench, artifact.digest)
    check(found)
    assert [component["name"] for component in found["components"]] == ["stdlib"]
    assert artifact.go is not None
    version = artifact.go.version.removeprefix("go")
    assert shipped(bench, "stdlib", f"<={version}") == [("sample", version, True)]
    assert shipped(bench, "stdlib", f"<{version}") == []


def test_only_what_was_validated_has_one(bench: Bench, tmp_path: Path) -> None:
    refused = bench.check(make_wheel(tmp_path, manifest="nonsense"))
    with pytest.raises(Conflict, match="rejected"):
        document(bench, refused.digest)
    with pytest.raises(NotFound):
        document(bench, "0" * 64)
    assert shipped(bench, "*hello".strip("*")) == []


def test_the_plugin_itself_is_no_part_of_it(bench: Bench, tmp_path: Path) -> None:
    bench.check(make_wheel(tmp_path))
    assert shipped(bench, "plugbay-hello") == []
