"""Bills that are made of records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plugbay.artifacts import Artifact, GoBuild, GoModule, WheelMetadata
from plugbay.artifacts.sbom import Distribution, installed, make_bill
from plugbay.sdk import Manifest

from .cyclonedx import check

DIGEST = "ab" * 32
SUM = "h1:AHKMd/fdBFDjdOoUqf6M9jyNEpOqQ5yQSpPdAYhfiZQ="
HOST = {
    "requests": Distribution(
        "2.31.0",
        ("urllib3<3,>=1.21", "PySocks>=1.5; extra == 'socks'", "colorama; os_name == 'nt'"),
    ),
    "urllib3": Distribution("2.2.1", ("requests", "brotli; nonsense == 'x'", "not a requirement!")),
    "pysocks": Distribution("1.7.1"),
}


def host(name: str) -> Distribution | None:
    return HOST.get(name.lower())


def manifest(runtime: Any = "python") -> Manifest:
    return Manifest(id="geo", version="1.2.0", runtime=runtime, entry="p:P", api=1, provides=())


def wheel(*requires: str, runtime: str = "python", **said: Any) -> Artifact:
    metadata = WheelMetadata(name="plugbay_geo", version="1.2.0", requires_dist=requires, **said)
    return Artifact(
        digest=DIGEST,
        size=10,
        filename="plugbay_geo-1.2.0-py3-none-any.whl",
        uploaded_at=1_700_000_000.5,
        uploaded_by="vera",
        plugin="geo",
        version="1.2.0",
        manifest=manifest(runtime),
        metadata=metadata,
    )


def program(*deps: GoModule, version: str = "go1.26.6") -> Artifact:
    main = GoModule(path="example.com/Tests/my.plugin", version="(devel)")
    build = GoBuild(version=version, path=main.path, module=main, deps=deps)
    return replace(wheel(), kind="executable", metadata=None, go=build)


def refs(document: dict[str, Any], of: str = "") -> list[str]:
    by: dict[str, list[str]] = {node["ref"]: node["dependsOn"] for node in document["dependencies"]}
    return by[of or document["metadata"]["component"]["bom-ref"]]


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in component.get("properties", ())}


def test_a_wheel_has_what_it_requires_in_the_versions_that_serve_it() -> None:
    asks = ("Requests[SOCKS]>=2", "plugbay>=0.1; python_version >= '3'", "x; extra == 'dev'")
    document = make_bill(wheel(*asks), host)
    check(document)
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    subject = document["metadata"]["component"]
    assert (subject["name"], subject["purl"]) == ("plugbay_geo", "pkg:pypi/plugbay-geo@1.2.0")
    assert subject["hashes"] == [{"alg": "SHA-256", "content": DIGEST}]
    assert refs(document) == ["pkg:pypi/plugbay", "pkg:pypi/requests@2.31.0"]
    below = refs(document, "pkg:pypi/requests@2.31.0")
    assert below == ["pkg:pypi/pysocks@1.7.1", "pkg:pypi/urllib3@2.2.1"]
    # A circle ends where it began.
    assert refs(document, "pkg:pypi/urllib3@2.2.1") == ["pkg:pypi/requests@2.31.0"]
    by_name = {component["name"]: component for component in document["components"]}
    assert properties(by_name["requests"]) == {
        "plugbay:requirement": "Requests[SOCKS]>=2",
        "plugbay:provided-by": "gateway",
    }
    assert "version" not in by_name["plugbay"]  # this host does not have it


def test_a_process_has_an_environment_of_its_own() -> None:
    document = make_bill(wheel("requests<3", runtime="process"), host)
    check(document)
    (component,) = document["components"]
    assert "version" not in component
    assert properties(component) == {"plugbay:requirement": "requests<3"}


def test_a_bill_is_the_same_until_something_in_it_changes() -> None:
    asks = wheel("requests")
    assert make_bill(asks, host) == make_bill(asks, host)
    newer = make_bill(asks, lambda name: Distribution("2.32.0"))
    assert newer["serialNumber"] != make_bill(asks, host)["serialNumber"]


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("mit or apache-2.0", [{"expression": "MIT OR Apache-2.0"}]),
        ("as the lawyers say", [{"license": {"name": "as the lawyers say"}}]),
    ],
)
def test_what_a_wheel_says_of_itself(licence: str, expected: object) -> None:
    document = make_bill(wheel(license=licence, author="Vera", summary="Where"), host)
    check(document)
    subject = document["metadata"]["component"]
    assert subject["licenses"] == expected
    assert (subject["authors"], subject["description"]) == ([{"name": "Vera"}], "Where")


def test_what_was_not_taken_is_said() -> None:
    document = make_bill(wheel(), host, ["a.json: is no JSON object"])
    check(document)
    told = {"name": "plugbay:sbom:ignored", "value": "a.json: is no JSON object"}
    assert document["metadata"]["properties"] == [told]


def test_a_hostile_list_of_requirements_is_cut() -> None:
    document = make_bill(wheel(*(f"p{n}" for n in range(2000))), host)
    assert len(document["components"]) == 500


def test_a_go_program_has_its_modules_and_go_itself() -> None:
    deps = (
        GoModule(path="golang.org/x/net", version="v0.30.0", sum=SUM),
        GoModule(path="github.com/BurntSushi/toml", version="v1.4.0+incompatible", sum="h1:?"),
        GoModule(
            path="example.com/old",
            version="v1.0.0",
            replaced=GoModule(path="example.com/new", version="v1.1.0", sum=SUM),
        ),
        GoModule(path="example.com/here", version="v1.0.0", replaced=GoModule(path="../here")),
    )
    document = make_bill(program(*deps, version="go1.26.6 X:arenas"), host)
    check(document)
    subject = document["metadata"]["component"]
    assert subject["type"] == "application"
    assert subject["purl"] == "pkg:golang/example.com/tests/my.plugin"  # no version of its own
    assert refs(document) == [
        "pkg:golang/example.com/here",
        "pkg:golang/example.com/new@v1.1.0",
        "pkg:golang/github.com/burntsushi/toml@v1.4.0%2Bincompatible",
        "pkg:golang/golang.org/x/net@v0.30.0",
        "pkg:golang/stdlib@1.26.6",
    ]
    by_name = {component["name"]: component for component in document["components"]}
    net = by_name["golang.org/x/net"]
    assert properties(net) == {"plugbay:go:sum": SUM}
    assert net["hashes"][0]["content"].startswith("00728c77f7dd0450e374ea14a9fe8cf6")
    assert "hashes" not in by_name["github.com/BurntSushi/toml"]
    assert properties(by_name["example.com/new"])["plugbay:go:replaces"] == "example.com/old@v1.0.0"
    assert "replacement" in " ".join(properties(by_name["example.com/here"]))
    assert properties(by_name["stdlib"]) == {"plugbay:go:version": "go1.26.6 X:arenas"}


def test_the_environment_is_the_real_one() -> None:
    found = installed("packaging")
    assert found is not None
    assert int(found.version.split(".")[0]) >= 24
    assert installed("there-is-no-such-package") is None
    assert installed("") is None
    document = make_bill(wheel("litestar"), installed)
    check(document)
    assert "msgspec" in {component["name"] for component in document["components"]}
