"""Sections of which a few values differ only, read by these few."""

from __future__ import annotations

import pytest

from plugbay.gateway.message._field_lines import FieldLines
from plugbay.gateway.message._head_shapes import Shape, learn_shape
from plugbay.gateway.message._request_head import is_special

FIRST = b"Host: a\r\nX-A: 1\r\nContent-Length: 2\r\nX-B: 1\r\nAccept: */*"
SECOND = FIRST.replace(b"X-A: 1", b"X-A: 2").replace(b"Length: 2", b"Length: 3")
FIELDS = [(b"host", b"a"), (b"x-a", b"2"), (b"x-b", b"1"), (b"accept", b"*/*")]
PARTS = [b"host: a", b"X-A: 2", b"X-B: 1", b"Accept: */*"]
LENGTH: tuple[bytes, bytes] = (b"content-length", b"3")


def learned(
    first: bytes = FIRST, second: bytes = SECOND, known: Shape | None = None
) -> Shape | None:
    lines, fields, parts, special = FieldLines(is_special).read(second)
    fields = [FIELDS[0], *fields, LENGTH]
    parts = [PARTS[0], *parts, b"content-length: 3"]
    return learn_shape(lines, first, known, special, fields, parts, 1, len(fields) - 1)


def shape() -> Shape:
    found = learned()
    assert found is not None
    return found


def section(a: bytes, length: bytes, b: bytes = b"1") -> bytes:
    return b"Host: a\r\nX-A: %b\r\nContent-Length: %b\r\nX-B: %b\r\nAccept: */*" % (a, length, b)


@pytest.mark.parametrize("value", [b"3", b"a: b", b"x" * 300, b"a  b", b"\xe4", b"1,2;q=3"])
def test_only_what_differs_is_read(value: bytes) -> None:
    found = shape().fit(section(value, b"44"))
    assert found is not None
    fields, parts = found
    assert fields == [FIELDS[0], (b"x-a", value), *FIELDS[2:], (b"content-length", b"44")]
    assert parts == [PARTS[0], b"X-A: " + value, *PARTS[2:], b"Content-Length: 44"]
    assert shape().length == 4


@pytest.mark.parametrize(
    "block",
    [
        section(b"2", b"3", b"2"),  # another line
        SECOND.replace(b"Host: a", b"Host: b"),
        SECOND + b"\r\nX-A: 3",
        SECOND.replace(b"\r\nAccept: */*", b""),
        b"",
        SECOND.replace(b"X-A: 2", b"x-a: 2"),
        SECOND.replace(b"X-A: 2", b"X-C: 2"),
        SECOND.replace(b"X-A: 2", b"X-A:2"),
        SECOND.replace(b"X-A: 2", b"X-A : 2"),
        SECOND.replace(b"X-A: 2", b"X-A"),
        SECOND.replace(b"X-A: 2", b" X-A: 2"),
        section(b"", b"3"),
        section(b" 2", b"3"),
        section(b"2 ", b"3"),
        section(b"2\t", b"3"),
        section(b"2\nX-D: 1", b"3"),
        section(b"2\rX-D: 1", b"3"),
        section(b"2\n", b"3"),
        section(b"2\r", b"3"),
        section(b"2\r\n 3", b"3"),
        SECOND.replace(b"X-A: 2", b"Connection: close"),
        SECOND.replace(b"X-A: 2", b"Content-Length: 4"),
        SECOND.replace(b"X-A: 2", b"Host: b"),
        SECOND.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
        SECOND.replace(b"Content-Length: 3", b"X-A: 3"),
        SECOND.replace(b"Content-Length: 3\r\n", b""),
    ],
)
def test_what_is_of_another_shape_does_not_fit(block: bytes) -> None:
    assert shape().fit(SECOND) is not None
    assert shape().fit(block) is None


def test_a_shape_learns_where_values_differ() -> None:
    third = section(b"2", b"3", b"9")
    wider = learned(SECOND, third, shape())
    assert wider is not None
    found = wider.fit(section(b"7", b"8", b"9"))
    assert found is not None
    values = [b"a", b"7", b"9", b"*/*", b"8"]
    assert [value for _, value in found[0]] == values
    narrow = learned(SECOND, third)
    assert narrow is not None
    assert narrow.fit(section(b"7", b"8", b"9")) is None


def test_a_line_that_does_not_go_on_may_differ() -> None:
    first = b"Host: a\r\nX-Request-Id: 1\r\nX-A: 1"
    lines, _, _, special = FieldLines(is_special).read(first.replace(b"Id: 1", b"Id: 2"))
    fields, parts = [(b"host", b"a"), (b"x-a", b"1")], [b"host: a", b"X-A: 1"]
    found = learn_shape(lines, first, None, special, fields, parts, 1)
    assert found is not None
    assert found.fit(first.replace(b"Id: 1", b"Id: 3")) == (fields, parts)
    assert found.fit(first.replace(b"Id: 1", b"Other: 3")) is None


def test_values_that_differ_are_not_kept() -> None:
    second = section(b"secret", b"3")
    found = learned(second=second)
    assert found is not None
    kept = [getattr(found, name) for name in Shape.__slots__]
    assert b"secret" not in repr(kept).encode()


def numbered(count: int, value: bytes) -> bytes:
    return b"\r\n".join([b"X-%d: %b" % (number, value) for number in range(count)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            FIRST,
            SECOND.replace(b"Host: a", b"Host: b"),
        ),  # who is asked, and what ends here, is read
        (FIRST, SECOND.replace(b"X-A: 2", b"Upgrade: x")),
        (FIRST.replace(b"X-A", b"Upgrade"), SECOND.replace(b"X-A", b"Upgrade")),
        (FIRST, SECOND + b"\r\nX-C: 1"),
        (FIRST, SECOND.replace(b"X-A: 2", b"X-C: 2")),
        (FIRST, SECOND.replace(b"X-A: 2", b"X-A:2")),
        (FIRST, SECOND.replace(b"X-A: 2", b"X-A: ")),
        (b"", b"X-A: 1"),
        (numbered(9, b"1"), numbered(9, b"2")),
    ],
)
def test_sections_that_differ_too_much_have_no_shape(first: bytes, second: bytes) -> None:
    lines = second.split(b"\r\n")
    special: list[tuple[int, tuple[bytes, bytes]]] = []
    for place, line in enumerate(lines):
        said, _, value = line.partition(b":")
        if is_special(said.lower()):
            special.append((place, (said.lower(), value.strip())))
    fields, parts = [LENGTH] * 12, [b""] * 12
    assert learn_shape(lines, first, None, special, fields, parts, 1, 11) is None


def test_sections_that_differ_in_some_values_have_one() -> None:
    first, second = numbered(8, b"1"), numbered(8, b"2")
    fields, parts = [LENGTH] * 9, [b""] * 9
    found = learn_shape(second.split(b"\r\n"), first, None, [], fields, parts, 0, 8)
    assert found is not None
    assert found.length == -1
    assert found.fit(numbered(8, b"3")) is not None
