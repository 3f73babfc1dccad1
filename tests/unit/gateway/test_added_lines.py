"""The lines of fields that hooks have changed: the same as if all were made anew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugbay.gateway.message._added_lines import AddedLines
from plugbay.gateway.message._wire import FRAMING, Unsendable, lines

LENGTH = b"content-length", b"3"
NAMES = st.sampled_from([b"a", b"b", b"x-a", b"accept-encoding", b"x-accept-encoding"])
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b"", b"1", b"a: 1", b"gzip"])), max_size=6)


@given(FIELDS, st.integers(0, 6), st.booleans())
def test_a_field_that_is_gone(fields, gone, sized):
    fields = [*fields, *([LENGTH] if sized else ())]
    # As they came: with other case and spaces.
    forward = b"".join(b"%b:  %b\r\n" % (name.title(), value) for name, value in fields)
    raw = [field for place, field in enumerate(fields) if place != gone]
    told = AddedLines().edited(fields, forward, raw, b"content-length: 3\r\n" if sized else b"")
    assert _read(told) == _read(
        lines([field for field in raw if field[0] not in FRAMING])
        + (b"content-length: 3\r\n" if sized else b"")
    )


@given(FIELDS, FIELDS)
def test_fields_that_are_others(fields, raw):
    forward = lines(fields)
    assert _read(AddedLines().edited(fields, forward, list(raw), b"")) == _read(lines(raw))


def test_what_cannot_be_sent_is_refused_beside_a_field_that_is_gone():
    fields = [(b"a", b"1"), (b"b", b"2")]
    with pytest.raises(Unsendable):
        AddedLines().edited(fields, lines(fields), [(b"c", b"x\r\ny")], b"")


def _read(block):
    found = (line.split(b":", 1) for line in block.split(b"\r\n") if line)
    return [(name.lower(), value.strip()) for name, value in found]
