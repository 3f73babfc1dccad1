"""The search for components: names, versions, and documents by anybody."""

from __future__ import annotations

import pytest

from plugbay.artifacts.sbom import Part, Wanted, parts_of
from plugbay.kernel import Invalid

REQUESTS = Part("pypi", "Requests", "2.31.0", "pkg:pypi/requests@2.31.0")
NET = Part("golang", "golang.org/x/net", "v0.30.0")


@pytest.mark.parametrize(
    ("name", "part", "found"),
    [
        ("requests", REQUESTS, True),
        ("REQUESTS", REQUESTS, True),
        ("request", REQUESTS, False),
        ("req*", REQUESTS, True),
        ("my_pkg-*", Part("pypi", "my.pkg.core", "1"), True),
        ("my_pkg", Part("pypi", "My-Pkg", "1"), True),
        ("golang.org/x/net", NET, True),
        ("Golang.org/X/*", NET, True),
        ("net", NET, False),
    ],
)
def test_names(name: str, part: Part, found: bool) -> None:
    assert Wanted(name).names(part) is found


@pytest.mark.parametrize(
    ("versions", "ecosystem", "version", "included"),
    [
        ("<2.32", "pypi", "2.31.0", True),
        ("<2.32", "pypi", "2.32.0", False),
        ("<2.32", "pypi", "2.32.0rc1", False),  # PEP 440: not before its own release
        ("~=2.31", "pypi", "2.99", True),
        ("2.31.0", "pypi", "2.31", True),
        ("<2.32,!=2.31.0", "pypi", "2.31.0", False),
        ("", "pypi", "what", True),
        ("<2.32", "pypi", "", None),
        ("<2.32", "pypi", "what", None),
        ("<v0.31.0", "golang", "v0.30.0", True),
        ("<0.31", "golang", "v0.30.0", True),
        (">=v0.30.0,<v0.31.0", "golang", "v0.30.1", True),
        ("<v0.30.0", "golang", "v0.30.0-rc.1", True),
        ("<v0.30.0-rc.2", "golang", "v0.30.0-rc.10", False),
        ("<v0.30.0-rc.x", "golang", "v0.30.0-rc.10", True),
        ("<v1", "golang", "v0.0.0-20240102030405-abcdef012345", True),
        ("!=v0.30.0", "golang", "v0.30.0+incompatible", False),
        (">v0.30.0", "golang", "v0.30.1", True),
        ("v0.30.0", "golang", "v0.30.0", True),
        ("<1.26.5", "golang", "1.26rc1", True),
        ("<1.26", "golang", "1.26rc1", True),
        ("~=2.31", "golang", "v2.31.0", None),  # no operator of semantic versioning
        ("<1.2.3-alpha.x", "pypi", "1.2.2", None),  # no specifier of PEP 440
        ("<3", "deb", "1:3.0~beta", None),
    ],
)
def test_versions(versions: str, ecosystem: str, version: str, included: bool | None) -> None:
    assert Wanted("x", versions).includes(Part(ecosystem, "x", version)) is included


@pytest.mark.parametrize(
    ("name", "versions", "pointer"),
    [
        ("", "", "/name"),
        ("*", "", "/name"),
        ("x" * 300, "", "/name"),
        ("x", "soon", "/version"),
        ("x", "<>", "/version"),
        ("x", "<1" * 200, "/version"),
    ],
)
def test_a_search_that_nobody_can_read_is_refused(name: str, versions: str, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        Wanted(name, versions)
    assert caught.value.problems[0].pointer == pointer


def test_parts_of_any_document() -> None:
    nested = {"name": "inner", "version": "1", "components": [{"name": "innermost"}]}
    document = {
        "components": [
            {"name": "a", "purl": "pkg:deb/debian/openssl@3.0.1?arch=amd64#x", "version": 7},
            {"name": "b", "purl": "pkg:npm/%40scope/pkg", "version": "4.0.0"},
            {"name": "c", "group": "org.acme", "purl": "no purl", "components": [nested]},
            {"purl": "pkg:pypi"},
            "none",
            {"name": "x" * 1000},
        ]
    }
    assert list(parts_of(document)) == [
        Part("deb", "debian/openssl", "3.0.1", "pkg:deb/debian/openssl@3.0.1?arch=amd64#x"),
        Part("npm", "@scope/pkg", "4.0.0", "pkg:npm/%40scope/pkg"),
        Part("", "org.acme/c", ""),
        Part("", "inner", "1"),
        Part("", "innermost", ""),
    ]
    assert list(parts_of({"components": {"a": 1}})) == []
