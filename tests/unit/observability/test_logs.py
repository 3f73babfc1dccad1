"""Lines for machines and for people."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.observability import (
    AccessLine,
    AccessLog,
    ConsoleFormatter,
    JsonFormatter,
    LineWriter,
    Logs,
    request_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def record(message: object = "hello you", *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("plugbay.x", logging.INFO, "f.py", 1, message, args, None)
    made.created = 1_700_000_000.25
    vars(made).update(extra)
    return made


def parsed(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(made)
    assert "\n" not in line
    return json.loads(line)


@contextmanager
def logs(path: Path, **options: Any) -> Iterator[Logs]:
    """The logging of a process that writes to `path`."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    opened = Logs(fd=fd, **options)
    try:
        yield opened
    finally:
        opened.close()
        os.close(fd)


def test_a_line_is_one_json_object() -> None:
    assert parsed(record()) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "logger": "plugbay.x",
        "message": "hello you",
    }


def test_context_comes_first_and_extra_after_it() -> None:
    fields = parsed(record(zeta=1, plugin="p", version="1", generation=3, request_id="r"))
    assert list(fields)[4:] == ["request_id", "plugin", "version", "generation", "zeta"]


def test_the_request_id_is_the_tasks_unless_the_record_has_one() -> None:
    token = request_id.set("from-task")
    try:
        assert parsed(record())["request_id"] == "from-task"
        assert parsed(record(request_id="own"))["request_id"] == "own"
    finally:
        request_id.reset(token)


def test_secrets_are_left_out() -> None:
    fields = parsed(record("sent Bearer abcdef123", authorization="abc", data={"token": "abc"}))
    assert fields["message"] == "sent Bearer [redacted]"
    assert fields["authorization"] == "[redacted]"
    assert fields["data"] == {"token": "[redacted]"}


def test_an_exception_has_type_text_and_stack() -> None:
    made = record()
    try:
        raise KeyError("password=hunter22")
    except KeyError as error:
        made.exc_info = (KeyError, error, error.__traceback__)
    error_fields = parsed(made)["error"]
    assert error_fields["type"] == "builtins.KeyError"
    assert "hunter22" not in json.dumps(error_fields)
    assert "test_logs.py" in error_fields["stack"]


def test_whatever_a_caller_gives_becomes_a_line() -> None:
    endless: dict[str, object] = {}
    endless["self"] = endless
    assert parsed(record("%d", "not a number"))["message"] == "'%d' % ('not a number',)"
    assert parsed(record(thing=object()))["thing"].startswith("<object object")
    assert "…" in json.dumps(parsed(record(loop=endless)), ensure_ascii=False)
    assert parsed(record(bad={1: "\ud800"}))["message"] == "hello you"
    assert parsed(record(big=1 << 70))["big"] == 1 << 70
    assert len(parsed(record("x" * 100_000))["message"]) == 8_192


def test_the_console_line_is_for_people() -> None:
    plain = ConsoleFormatter(colour=False)
    made = record(plugin="hello", answer=42, path="/a\x1b[2J")
    assert plain.format(made) == "22:13:20.250 info    hello: hello you  answer=42 path=/a\\x1b[2J"
    assert ConsoleFormatter(colour=True).format(made).startswith("22:13:20.250 \x1b[36minfo")
    assert plain.format(record("a\nb")).endswith("x: a\\nb")
    made = record()
    made.exc_info = (ValueError, ValueError("no"), None)
    assert plain.format(made).endswith("hello you\nValueError: no")


def test_logs_writes_to_its_descriptor_and_gives_logging_back(tmp_path: Path) -> None:
    before = logging.root.level, list(logging.root.handlers)
    with logs(tmp_path / "log") as opened:
        opened.plugin("hello", "1.0", 7).info("one", extra={"n": 1, "plugin": "forged"})
        logging.getLogger("plugbay.x").debug("not at this level")
    assert (logging.root.level, list(logging.root.handlers)) == before
    (line,) = (tmp_path / "log").read_text().splitlines()
    fields = json.loads(line)
    wanted = {"plugin": "hello", "version": "1.0", "generation": 7, "n": 1, "message": "one"}
    assert {key: fields[key] for key in wanted} == wanted


def test_console_format(tmp_path: Path) -> None:
    with logs(tmp_path / "log", format="console", level="debug"):
        logging.getLogger("plugbay.x").debug("seen")
    assert (tmp_path / "log").read_text().rstrip().endswith("x: seen")


def test_a_plugin_has_a_level_of_its_own(tmp_path: Path) -> None:
    with logs(tmp_path / "log") as opened:
        logger = opened.plugin("noisy", "1", 1)
        opened.set_level("noisy", "debug")
        logger.debug("now seen")
        assert opened.levels() == {"noisy": "debug"}
        opened.set_level("noisy", None)
        logger.debug("again not")
        assert opened.levels() == {}
        with pytest.raises(ValueError, match="LOUD"):
            opened.set_level("noisy", "loud")
        opened.set_level("noisy", "error")
    assert logging.getLogger("plugbay.plugin.noisy").level == logging.NOTSET
    assert [json.loads(x)["message"] for x in (tmp_path / "log").read_text().splitlines()] == [
        "now seen"
    ]


def test_the_writer_never_waits_and_says_what_it_dropped() -> None:
    """A pipe that nobody reads fills up; the caller goes on, and the loss is in the log."""
    read, write = os.pipe()
    writer = LineWriter(write, limit=10)
    line = b"x" * 1023 + b"\n"
    for _ in range(1000):
        writer.write(line)
    assert writer.dropped > 0
    closer = threading.Thread(target=writer.close, args=(10,))
    closer.start()
    content = bytearray()
    while b"dropped" not in content:
        content += os.read(read, 65_536)
    closer.join()
    os.close(write)
    while chunk := os.read(read, 65_536):
        content += chunk
    os.close(read)
    told = sum(int(number) for number in re.findall(rb'"count":(\d+)', content))
    assert content.count(b"x\n") + told == 1000
    assert told == writer.dropped


def test_the_writer_survives_a_reader_that_is_gone() -> None:
    read, write = os.pipe()
    os.close(read)
    writer = LineWriter(write)
    writer.write(b"nobody reads this\n")
    writer.close()
    os.close(write)
    assert writer.dropped == 1
    writer.write(b"too late\n")
    assert writer.dropped == 2


def test_the_access_log_is_json(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "access", os.O_CREAT | os.O_WRONLY)
    writer = LineWriter(fd)
    access = AccessLog(writer)
    now = access.stamp(1_700_000_000.9)
    assert now == access.stamp(1_700_000_000.1) == "2023-11-14T22:13:20Z"
    assert access.stamp(1_700_000_001.0) == "2023-11-14T22:13:21Z"
    numbers = {"status": 200, "ms": 0.5, "bytes_in": 0, "bytes_out": 3}
    texts = {"request_id": "r", "client": "::1", "method": "GET", "host": "h", "path": '/"\n'}
    access.write(AccessLine(time=now, **texts, **numbers))  # type: ignore[arg-type] # mixed kinds
    writer.close()
    os.close(fd)
    (line,) = (tmp_path / "access").read_text().splitlines()
    assert json.loads(line) == {"time": now, **texts, **numbers}
