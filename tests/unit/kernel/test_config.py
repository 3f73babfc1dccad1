from plugbay.kernel import Difference, diff


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
