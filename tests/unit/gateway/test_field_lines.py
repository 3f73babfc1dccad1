"""Header lines that are remembered, and those that are not."""

from __future__ import annotations

import pytest

from plugbay.gateway.message._field_lines import FieldLines, OddLine
from plugbay.gateway.message._request_head import is_special


def test_a_line_is_taken_apart_and_remembered_when_it_comes_again() -> None:
    lines = FieldLines(is_special)
    assert lines[b"X-A: 1"] == (b"x-a", b"1")
    assert lines[b"Host:\ta.test"] is None
    assert dict(lines) == {b"Host:\ta.test": None}
    assert lines[b"X-A: 1"] == (b"x-a", b"1")
    assert lines.special[b"Host:\ta.test"] == (b"host", b"a.test")
    assert dict(lines) == {b"X-A: 1": (b"x-a", b"1"), b"Host:\ta.test": None}


@pytest.mark.parametrize(
    "line", [b"Authorization: Bearer x", b"cookie: a=b", b"x-a: " + b"y" * 300]
)
def test_credentials_and_long_lines_are_not_kept(line: bytes) -> None:
    lines = FieldLines(is_special)
    assert lines[line] == lines[line] is not None
    assert not lines


@pytest.mark.parametrize(
    "line",
    [
        b"proxy-authorization: Basic x",  # special, and not to be kept
        b"x-forwarded-for: " + b"1.1.1.1, " * 40 + b"1.1.1.1",
        b"x: 1 ",
        b"x: 1\n",
        b": 1",
        b"x",
    ],
)
def test_what_is_for_the_general_path_leaves_nothing_behind(line: bytes) -> None:
    lines = FieldLines(is_special)
    with pytest.raises(OddLine):
        lines[line]
    assert not lines
    assert not lines.special


def test_a_section_is_taken_apart() -> None:
    block = b"Host: a\r\nX-A:  1\r\nconnection: close\r\nx-b:2"
    lines, fields, kept, special = FieldLines(is_special).read(block)
    assert lines == block.split(b"\r\n")
    assert fields == [(b"x-a", b"1"), (b"x-b", b"2")]
    assert kept == [b"X-A:  1", b"x-b:2"]
    assert special == [(0, (b"host", b"a")), (2, (b"connection", b"close"))]


@pytest.mark.parametrize("block", [b"x: 1\ny: 2", b"x: 1\ry: 2", b"x: 1\r\ny: 2\n", b"x: 1\r"])
def test_a_bare_line_end_is_for_the_general_path(block: bytes) -> None:
    lines = FieldLines(is_special)
    with pytest.raises(OddLine):
        lines.read(block)
    assert not lines


def test_what_is_remembered_is_bounded() -> None:
    lines = FieldLines(is_special)
    for number in range(5000):
        assert lines[b"x-a: %d" % number] == (b"x-a", b"%d" % number)
        assert lines[b"content-length: %d" % number] is None
        assert lines.special[b"content-length: %d" % number][1] == b"%d" % number
        assert len(lines) <= 2048
        assert len(lines.special) <= 2048
