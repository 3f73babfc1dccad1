"""Files and `key=value` arguments."""

from __future__ import annotations

import pytest

from plugbay.cli._document import assign, read_document
from plugbay.kernel import Invalid


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limit=100", {"limit": 100}),
        ("window=1.5", {"window": 1.5}),
        ("on=true", {"on": True}),
        ('name="a b"', {"name": "a b"}),
        ("name=plain words", {"name": "plain words"}),
        ("name=", {"name": ""}),
        ("a.b.c=[1, 2]", {"a": {"b": {"c": [1, 2]}}}),
        ("url=http://x/?a=b", {"url": "http://x/?a=b"}),
        ("x=1\ny = 2", {"x": "1\ny = 2"}),
    ],
)
def test_a_value_is_toml_or_else_text(text, expected):
    config: dict[str, object] = {}
    assign(config, [text])
    assert config == expected


def test_what_is_not_named_stays():
    config = {"limit": 1, "deep": {"a": 1, "b": 2}}
    assign(config, ["deep.b=3"])
    assert config == {"limit": 1, "deep": {"a": 1, "b": 3}}


@pytest.mark.parametrize("text", ["limit", "=1", "a..b=1", "limit.x=1"])
def test_what_cannot_be_assigned(text):
    with pytest.raises(Invalid):
        assign({"limit": 1}, [text])


def test_files(tmp_path):
    toml, json_, bad, listed = (
        tmp_path / name for name in ("a.toml", "a.json", "b.toml", "l.json")
    )
    toml.write_text("limit = 3")
    json_.write_text('{"limit": 4}')
    bad.write_text("limit =")
    listed.write_text("[1]")
    assert read_document(toml) == {"limit": 3}
    assert read_document(json_) == {"limit": 4}
    for path, why in (
        (bad, "cannot be read"),
        (tmp_path / "no", "nothing there"),
        (listed, "list"),
    ):
        with pytest.raises(Invalid, match=why):
            read_document(path)
