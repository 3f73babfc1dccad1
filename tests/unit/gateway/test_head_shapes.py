"""Sections that differ in a few lines only, read by these few."""

from __future__ import annotations

import pytest

from plugbay.gateway.message._field_lines import FieldLines, OddLine
from plugbay.gateway.message._head_shapes import Shape, find_shape
from plugbay.gateway.message._request_head import is_special

FIRST = b"Host: a\r\nX-A: 1\r\nContent-Length: 2\r\nX-B: 1\r\nAccept: */*"
SECOND = b"Host: a\r\nX-A: 2\r\nContent-Length: 3\r\nX-B: 1\r\nAccept: */*"
FIELDS = [(b"host", b"a"), (b"x-a", b"2"), (b"x-b", b"1"), (b"accept", b"*/*")]
PARTS = [b"host: a", b"X-A: 2", b"X-B: 1", b"Accept: */*"]


def shape(first: bytes = FIRST, second: bytes = SECOND) -> Shape | None:
    return find_shape(second, first, FieldLines(is_special), FIELDS.copy(), PARTS.copy(), 1)


def test_only_what_differs_is_read() -> None:
    found = shape()
    assert found is not None
    for number in (b"3", b"", b"x: y"):
        block = SECOND.replace(b"X-A: 2", b"x-c:" + number).replace(b"3", b"44")
        fields, parts, length = found.fit(block) or ([], [], None)
        value = number.replace(b"3", b"44")
        assert fields == [FIELDS[0], (b"x-c", value), *FIELDS[2:]]
        assert parts == [PARTS[0], b"x-c:" + value, *PARTS[2:]]
        assert length == (b"content-length", b"44")


@pytest.mark.parametrize(
    "block",
    [
        SECOND.replace(b"X-B: 1", b"X-B: 2"),  # another line
        SECOND.replace(b"Host: a", b"Host: b"),
        SECOND + b"\r\nX-A: 3",
        SECOND.replace(b"X-A: 2", b"Connection: close"),
        SECOND.replace(b"X-A: 2", b"Content-Length: 4"),
        SECOND.replace(b"X-A: 2", b"Host: b"),
        SECOND.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
        SECOND.replace(b"Content-Length: 3", b"X-A: 3"),
        SECOND.replace(b"Content-Length: 3\r\n", b""),
    ],
)
def test_what_is_of_another_shape_does_not_fit(block: bytes) -> None:
    found = shape()
    assert found is not None
    assert found.fit(block) is None


@pytest.mark.parametrize("line", [b"x: 1 ", b"x: 1\ny: 2", b"x: 1\ry: 2", b": 1", b"x", b" x: 1\t"])
def test_an_odd_line_is_for_the_general_path(line: bytes) -> None:
    found = shape()
    assert found is not None
    with pytest.raises(OddLine):
        found.fit(SECOND.replace(b"X-A: 2", line))


@pytest.mark.parametrize(
    "second",
    [
        SECOND.replace(b"Host: a", b"Host: b"),  # who is asked, and what ends here, is read
        SECOND.replace(b"X-A: 2", b"Upgrade: x"),
        SECOND + b"\r\nX-C: 1",
        b"Host: a\r\nA: 1\r\nB: 1\r\nC: 1",
        b"A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1",
    ],
)
def test_sections_that_differ_too_much_have_no_shape(second: bytes) -> None:
    assert shape(second=second) is None
