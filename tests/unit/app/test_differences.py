"""Where two JSON values differ."""

from __future__ import annotations

import pytest

from plugbay.app._differences import DEPTH, MOST, differences


def nested(levels: int, leaf: object) -> object:
    for _ in range(levels):
        leaf = [leaf]
    return leaf


@pytest.mark.parametrize(
    ("recorded", "now", "found"),
    [
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2.0], "a": 1.0}, []),
        ({"a": 0}, {"a": False}, [{"pointer": "/a", "recorded": 0, "now": False}]),
        (1, 2, [{"pointer": "", "recorded": 1, "now": 2}]),
        ({"a": {}}, {"a": []}, [{"pointer": "/a", "recorded": {}, "now": []}]),
        ({"a/b": {"~": 1}}, {"a/b": {}}, [{"pointer": "/a~1b/~0", "recorded": 1}]),
        ({"a": [1]}, {"a": [1, None]}, [{"pointer": "/a/1", "now": None}]),
        ([[1], {"k": 2}], [[3], {"k": 4}], [
            {"pointer": "/0/0", "recorded": 1, "now": 3},
            {"pointer": "/1/k", "recorded": 2, "now": 4},
        ]),
    ],
)  # fmt: skip
def test_the_innermost_places_are_named(recorded, now, found):
    assert [one.plain() for one in differences(recorded, now)] == found


def test_secrets_are_not_shown():
    (mail, token) = differences(
        {"to": "ann@example.com", "token": "one"}, {"to": "bob@example.com", "token": "two"}
    )
    assert mail.recorded == mail.now == "[redacted: email]"
    assert token.now == "[redacted: name]"


def test_it_is_bounded():
    assert len(differences([0] * (MOST + 9), [1] * (MOST + 9))) == MOST
    (deep,) = differences(nested(DEPTH + 50, 1), nested(DEPTH + 50, 2))
    assert deep.pointer == "/0" * DEPTH
    assert differences(nested(DEPTH + 50, 1), nested(DEPTH + 50, 1)) == []
