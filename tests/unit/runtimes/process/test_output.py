"""What a plugin prints, as log records."""

from __future__ import annotations

import json
import logging

from plugbay.runtimes.process._output import LINE, Output

from .programs import Lines


def output(lines: Lines) -> Output:
    return Output(lines, level=logging.WARNING, stream="stderr")


def test_lines_of_hclog_keep_their_level_and_fields() -> None:
    lines = Lines()
    entry = {"@level": "info", "@message": "started", "@module": "subject", "port": 1}
    output(lines).feed(json.dumps({**entry, "@timestamp": "now"}).encode() + b"\n")
    fields = {"stream": "stderr", "port": 1, "module": "subject"}
    assert lines.records == [(logging.INFO, "started", fields)]


def test_other_lines_are_themselves_however_they_are_cut() -> None:
    lines = Lines()
    taken = output(lines)
    for part in (b"one\ntw", b"o\r\n\n{not json}\n[1]\n", b'{"a": 1}\nlast'):
        taken.feed(part)
    taken.close()
    taken.close()
    assert lines.messages == ["one", "two", "{not json}", "[1]", '{"a": 1}', "last"]
    assert {level for level, _, _ in lines.records} == {logging.WARNING}


def test_a_line_without_an_end_is_cut_once() -> None:
    lines = Lines()
    taken = output(lines)
    for _ in range(10):
        taken.feed(b"x" * 4096)
    taken.feed(b"tail\nnext\n")
    assert [len(message) for message in lines.messages[:1]] == [LINE]
    assert lines.messages[-1] == "next"
    assert not any("tail" in message for message in lines.messages)


def test_a_flood_reaches_the_log_in_part_and_is_counted() -> None:
    lines = Lines()
    taken = output(lines)
    taken.feed(b"line\n" * 5000)
    assert 2000 <= len(lines.records) < 3000
    taken._allowance._tokens = 5  # some seconds later
    taken.feed(b"again\n")
    assert any("were dropped" in message for message in lines.messages)
    assert lines.messages[-1] == "again"


def test_the_reason_of_a_crash_is_its_first_line() -> None:
    taken = output(Lines())
    taken.feed(b"harmless\npanic: boom\n\ngoroutine 1 [running]:\n" + b"main.main()\n" * 100)
    assert taken.reason() == "panic: boom"
    quiet = output(Lines())
    assert quiet.reason() == ""
    quiet.feed(b'{"@level":"info","@message":"bye"}\nno such file\n')
    assert quiet.reason() == "no such file"
