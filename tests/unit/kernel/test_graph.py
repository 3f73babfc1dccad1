import pytest

from plugbay.kernel import DependencyGraph, DependencyProblem, NotFound
from plugbay.sdk import Manifest


def manifest(id, version="1.0", **requires):
    return Manifest(id=id, version=version, api=1, runtime="python", entry="a:B", requires=requires)


def graph(*manifests):
    return DependencyGraph(manifests)


DIAMOND = graph(
    manifest("app", left=">=1", right=">=1"),
    manifest("left", base="~=1.0"),
    manifest("right", base=""),
    manifest("base", "1.4"),
    manifest("alone"),
)


def test_what_fits_passes():
    DIAMOND.check()
    assert DIAMOND.problems() == ()


def test_pre_releases_count():
    graph(manifest("a", b=">=1"), manifest("b", "2.0rc1")).check()


def test_what_is_needed_starts_first():
    assert DIAMOND.start_order() == ["alone", "base", "left", "right", "app"]


def test_dependents_directly_and_through_others():
    assert DIAMOND.dependents("base") == ("app", "left", "right")
    assert DIAMOND.dependents("base", transitive=False) == ("left", "right")
    assert DIAMOND.dependents("alone") == ()


def test_every_problem_is_reported_at_once():
    broken = graph(
        manifest("a", ghost=">=1", b="nonsense", c=">=2", d=">=1"),
        manifest("b"),
        manifest("c", "1.9"),
        manifest("d", "not-a-version"),
        manifest("e", f=""),
        manifest("f", e=""),
    )
    with pytest.raises(DependencyProblem) as caught:
        broken.check()
    found = {problem.pointer: problem for problem in caught.value.problems}
    assert sorted(found) == [
        "/a/requires/b",
        "/a/requires/c",
        "/a/requires/d",
        "/a/requires/ghost",
        "/e/requires",
    ]
    assert found["/a/requires/ghost"].detail == "is missing"
    assert found["/a/requires/b"].detail == "is not a version specifier"
    wrong = found["/a/requires/c"]
    assert (wrong.expected, wrong.found) == ("c >=2", "c 1.9")
    assert all(problem.remedy for problem in found.values())
    assert "a/requires/ghost is missing" in str(caught.value)


def test_cycles_have_no_start_order():
    knot = graph(manifest("a", b=""), manifest("b", c=""), manifest("c", a="", b=""))
    assert knot.cycles() == [("a", "b", "c")]
    with pytest.raises(DependencyProblem, match="need each other"):
        knot.start_order()
    assert knot.dependents("a") == ("b", "c")


def test_a_plugin_may_not_need_itself():
    assert graph(manifest("a", a="")).cycles() == [("a",)]


def test_unknown_plugins_are_not_found():
    with pytest.raises(NotFound, match="ghost"):
        DIAMOND.dependents("ghost")
