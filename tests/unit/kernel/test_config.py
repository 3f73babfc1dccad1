import pytest

from plugbay.kernel import ConfigHistory, Conflict, Difference, NotFound, diff


def test_versions_grow_and_keep_their_facts(clock):
    history = ConfigHistory(clock)
    assert history.current is None
    first = history.add({"limit": 1}, author="ada", comment="begin")
    assert (first.version, first.author, first.comment) == (1, "ada", "begin")
    assert first.created == clock.time()
    assert history.add({"limit": 2}, author="bob").version == 2
    assert history.current.config == {"limit": 2}
    assert [version.version for version in history] == [1, 2]
    assert len(history) == 2


def test_a_version_is_a_copy(clock):
    history = ConfigHistory(clock)
    config = {"list": [1]}
    history.add(config, author="ada")
    config["list"].append(2)
    assert history.get(1).config == {"list": [1]}


def test_a_rollback_makes_a_new_version(clock):
    history = ConfigHistory(clock)
    history.add({"limit": 1}, author="ada")
    history.add({"limit": 2}, author="ada")
    back = history.rollback(1, author="bob")
    assert (back.version, back.config, back.comment) == (3, {"limit": 1}, "Roll back to 1")
    assert history.diff(1, 3) == ()
    assert history.diff(1, 2) == (Difference("/limit", "replace", 1, 2),)
    assert history.rollback(2, author="bob", comment="again").comment == "again"


def test_stored_versions_are_taken_up(clock):
    history = ConfigHistory(clock)
    history.add({}, author="ada")
    history.add({"a": 1}, author="ada")
    again = ConfigHistory(clock, [history.get(2)])
    assert again.add({}, author="ada").version == 3
    with pytest.raises(NotFound, match="version 1"):
        again.get(1)
    with pytest.raises(Conflict, match="version 1 comes after 2"):
        ConfigHistory(clock, [history.get(2), history.get(1)])


def test_differences_point_to_their_places():
    old = {"same": 1, "gone": 2, "deep": {"a/b": [1, 2, 3], "m~n": 1}, "flag": True}
    new = {"same": 1, "come": 3, "deep": {"a/b": [1, 5], "m~n": 2}, "flag": 1}
    assert diff(old, new) == (
        Difference("/come", "add", None, 3),
        Difference("/deep/a~1b/1", "replace", 2, 5),
        Difference("/deep/a~1b/2", "remove", 3),
        Difference("/deep/m~0n", "replace", 1, 2),
        Difference("/flag", "replace", True, 1),
        Difference("/gone", "remove", 2),
    )


def test_arrays_grow_at_their_end():
    assert diff([1], [1, 2, 3]) == (
        Difference("/1", "add", None, 2),
        Difference("/2", "add", None, 3),
    )


def test_whole_documents_differ_at_the_root():
    assert diff({}, []) == (Difference("", "replace", {}, []),)
