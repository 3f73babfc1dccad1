"""Everything that goes wrong between a client and a server over stdio, case by case."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unit.mcp.conftest import PATIENCE, SERVER, request

MONITOR = (sys.executable, "-m", "plugbay", "monitor")
HELLO = request(1, "initialize", protocolVersion="2025-11-25", capabilities={})


def test_what_no_plugin_touches_passes_byte_for_byte(monitor):
    line = (
        b'{ "id" : 9007199254740993, "jsonrpc":"2.0", "result": {"n": 1.10, "z":1, "a":"\\u00e9"} }'
    )
    client = monitor()
    client.send(
        request(9007199254740993, "tools/call", name="raw", arguments={"line": line.decode()})
    )
    raw = client.process.stdout.readline()
    assert raw == line + b"\n"
    assert client.end() == 0


def test_invalid_json_is_answered_and_not_forwarded(monitor):
    client = monitor()
    client.send(b'{"jsonrpc": oops}', b"[1]", b'{"id": null, "method": "x", "jsonrpc": "2.0"}')
    assert client.line() == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32700, "message": "Parse error"},
    }
    assert [one["error"]["code"] for one in client.line()] == [-32600]
    assert client.line()["error"]["code"] == -32600
    client.call(5, text="still there")
    assert client.line()["id"] == 5
    assert client.end() == 0


def test_junk_of_the_server_is_dropped(monitor):
    client = monitor()
    client.call(1, "junk")
    client.call(2, "raw", line='{"jsonrpc":"2.0","id":77,"result":{}}')
    client.call(3)
    assert [client.line()["id"] for _ in range(2)] == [1, 3]
    assert client.end() == 0
    said = client.errors()
    assert "Starting..." in said
    assert "77" in said


def test_a_partial_line_is_dropped_and_its_call_answered(monitor):
    client = monitor()
    client.call(4, "partial")
    answer = client.line()
    assert (answer["id"], answer["error"]["code"]) == (4, 50301)
    assert client.line() is None
    assert client.process.wait(PATIENCE) == 0
    assert "without a line feed" in client.errors()


@pytest.mark.parametrize(("tool", "code"), [("exit", 3), ("kill", 137)])
def test_a_crash_answers_every_call_in_flight(monitor, tool, code):
    client = monitor()
    client.call(0)
    assert client.line()["id"] == 0  # starting is not what is measured
    for id in (1, "1", 2):
        client.call(id, "hold")
    client.call(3, tool)
    answers = client.rest()  # the input is still open: nothing may wait for it
    assert sorted(map(repr, (one["id"] for one in answers))) == ["'1'", "1", "2", "3"]
    assert {one["error"]["code"] for one in answers} == {50301}
    assert answers[0]["error"]["data"]["plugbay"] == {"exit": code}
    assert client.process.wait(PATIENCE) == code


def test_a_client_that_reads_no_more_ends_the_server(monitor):
    reading, writing = os.pipe()
    client = monitor(stdout=writing)
    os.close(writing)
    os.close(reading)
    client.call(1)
    assert client.process.wait(PATIENCE) == 0


def test_a_client_that_is_killed_with_calls_in_flight_leaves_nothing_behind(monitor):
    client = monitor(server=("pid",))
    for id in range(64):
        client.call(id, "hold")
    client.call(64)
    assert client.line()["id"] == 64
    server = int(client.process.stderr.readline())
    client.process.stdin.close()
    client.process.stdout.close()
    assert client.process.wait(PATIENCE) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)


def test_a_wrapper_that_is_killed_leaves_no_server(monitor):
    client = monitor(server=("pid",))
    client.call(1)
    assert client.line()["id"] == 1
    server = int(client.process.stderr.readline())
    client.process.kill()
    assert client.line() is None  # the server held the other end of nothing
    with os.fdopen(os.pidfd_open(server)) as gone:
        assert select.select([gone], [], [], PATIENCE)[0]


def test_what_a_plugin_prints_is_no_part_of_the_stream(monitor, project):
    loud = project("loud", "def on_message(self, message):\n    print('I see', message.kind)")
    client = monitor("-p", str(loud))
    client.call(1)
    assert client.line()["id"] == 1
    assert client.end() == 0
    assert "I see request" in client.errors()


def test_sigterm_ends_with_143(monitor):
    client = monitor()
    client.send(HELLO)
    assert client.line()["id"] == 1
    client.process.send_signal(signal.SIGTERM)
    assert client.process.wait(PATIENCE) == 143


def test_a_server_that_ignores_the_end_is_killed_with_its_group(monitor):
    client = monitor("--grace", "0.3", server=("deaf", "pid"))
    client.send(HELLO)
    assert client.line()["id"] == 1
    began = time.monotonic()
    assert client.end() == 137
    assert time.monotonic() - began >= 0.6
    pid = int(client.errors().split()[0])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_missing_command_is_127(monitor):
    client = monitor(server=("--", "/no/such/command"))
    assert client.end() == 127
    said = client.errors()
    assert "there is no command '/no/such/command'" in said
    assert "Traceback" not in said
    assert client.line() is None


def test_a_command_that_cannot_be_run_is_126(monitor, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("no program")
    assert monitor(server=("--", str(plain))).end() == 126


def test_the_exit_code_is_the_server_s(monitor):
    client = monitor(
        server=("--", sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(9)")
    )
    assert client.end() == 9


def test_a_server_that_closes_its_output_is_as_good_as_gone(monitor):
    code = "import os, sys, time; sys.stdin.readline(); os.close(1); time.sleep(60)"
    client = monitor("--grace", "0.2", server=("--", sys.executable, "-c", code))
    client.call(1)
    assert client.line()["error"]["code"] == 50301
    assert client.process.wait(PATIENCE) == 143


def test_messages_over_the_cap_are_refused_and_the_stream_goes_on(monitor):
    client = monitor("--max-message", "20000")
    client.call(1, text="x" * 30000)
    answer = client.line()
    assert answer["error"]["code"] == -32600
    client.call(2, "large", size=30000)
    answer = client.line()
    assert (answer["id"], answer["error"]["code"]) == (2, -32603)
    client.call(3, text="small")
    assert client.line()["id"] == 3
    assert client.end() == 0


def test_ten_megabytes_pass(monitor):
    client = monitor()
    client.call(1, "large", size=10_000_000)
    assert len(client.line(60)["result"]["content"][0]["text"]) == 10_000_000
    client.call(2, text="y" * 5_000_000)
    assert len(client.line(60)["result"]["content"][0]["text"]) > 5_000_000
    assert client.end() == 0


def test_a_client_that_does_not_read_holds_up_the_server_and_no_memory(monitor):
    client = monitor()
    client.call(0)
    assert client.line()["id"] == 0
    text = "z" * 100_000
    fd = client.process.stdin.fileno()
    os.set_blocking(fd, False)
    sent, held = 0, 0.0
    data = b""
    while sent < 60_000_000 and held < 1.0:
        if not data:
            data = json.dumps(request(sent + 1, "tools/call", name="echo", arguments={"t": text}))
            data = data.encode() + b"\n"
        began = time.monotonic()
        if select.select([], [fd], [], 1.0)[1]:
            written = os.write(fd, data)
            data, sent = data[written:], sent + written
        held = time.monotonic() - began
    assert sent < 30_000_000, "back-pressure did not reach the client"
    status = Path(f"/proc/{client.process.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0])
    assert peak < 200_000, f"{peak} KiB"


def test_standard_streams_may_be_files(monitor, tmp_path):
    asked, answered = tmp_path / "in", tmp_path / "out"
    asked.write_text(json.dumps(HELLO) + "\n" + json.dumps(request(2, "ping")) + "\n")
    with asked.open("rb") as stdin, answered.open("wb") as stdout:
        done = subprocess.run(
            [*MONITOR, "--server", "--", sys.executable, str(SERVER)],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["id"] for line in answered.read_text().splitlines()] == [1, 2]
