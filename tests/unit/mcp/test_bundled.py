"""The bundled plugins in a wrapped session, and the commands that go with them."""

from __future__ import annotations

import json
import sys
from unittest.mock import ANY

import pytest
from typer.testing import CliRunner

from plugbay.app.replay import read_record
from plugbay.cli._root import build
from plugbay.kernel import Invalid
from unit.mcp.conftest import SERVER, request


@pytest.fixture
def plugbay(tmp_path, monkeypatch):
    """Run a command in this process."""
    monkeypatch.setenv("PLUGBAY_STATE_DIR", str(tmp_path / "state"))
    root = build()

    def run(*arguments, code=0):
        done = CliRunner().invoke(root, [str(one) for one in arguments])
        assert done.exit_code == code, f"{done.output}{done.exception!r}"
        return done.output

    return run


def test_a_session_is_recorded_and_played_again(monitor, plugbay, tmp_path):
    record = tmp_path / "record.jsonl"
    client = monitor("--record", str(record), "-p", "console-logger")
    client.send(request(1, "initialize", protocolVersion="2025-11-25", capabilities={}))
    assert client.line()["id"] == 1
    client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    client.call(2, text="hello")
    assert client.line()["id"] == 2
    client.call(3, "echo", mail="ann@example.com")
    assert "ann@example.com" in json.dumps(client.line())
    client.send(request(4, "tools/call", name="ask", arguments={"id": 9}))
    assert client.line()["method"] == "roots/list"
    client.send({"jsonrpc": "2.0", "id": 9, "result": {"roots": []}})
    assert client.line()["id"] == 4
    assert client.end() == 0
    said = client.errors()
    assert "--> request tools/call echo #2" in said
    assert "<-- response tools/call echo #2" in said
    assert "ann@example.com" not in said + record.read_text()

    shown = plugbay("mcp", "replay", record)
    assert shown.count("tools/call") == 6
    rows = json.loads(
        plugbay("mcp", "replay", "-o", "json", record, "--", sys.executable, str(SERVER))
    )
    assert [row["result"] for row in rows] == ["same", "same", "redacted", "same"]
    other = 'import sys; [print(\'{"jsonrpc":"2.0","id":%d,"result":{}}\' % n) for n in (1, 2)]'
    rows = plugbay(
        "mcp", "replay", "--timeout", "5", record, "--", sys.executable, "-c", other, code=1
    )
    assert "initialize, id 1: 3 differences\n  /result/protocolVersion\n" in rows
    assert '    recorded  "2025-11-25"\n    now       (absent)\n' in rows
    assert "tools/call echo, id 2: 2 differences\n  /result/content\n" in rows
    assert "the server has ended" in rows
    (first, *_) = json.loads(
        plugbay("mcp", "replay", "--json", record, "--", sys.executable, "-c", other, code=1)
    )
    assert first["differences"][0] == {"pointer": "/result/protocolVersion", "recorded": ANY}
    plugbay("mcp", "replay", record, "--", "no-such-command", code=127)
    plugbay("mcp", "replay", record, "--", str(tmp_path), code=126)


def test_a_record_of_two_sessions_is_compared_session_by_session(plugbay, tmp_path):
    def lines(session, text):
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}}
        answer = {"jsonrpc": "2.0", "id": 1, "result": {"text": text}}
        known = {"time": 1, "method": "tools/call", "id": 1, "session": session, "size": 1}
        yield {**known, "direction": "to-server", "kind": "request", "body": call}
        yield {**known, "direction": "to-client", "kind": "response", "body": answer}

    record = tmp_path / "two.jsonl"
    both = [*lines("a", "first"), *lines("b", "x" * 50 + "2nd")]
    record.write_text("".join(f"{json.dumps(one)}\n" for one in both))
    server = (
        "for text in ('first', 'x' * 50 + 'other'):\n    input()\n"
        '    print(\'{"jsonrpc":"2.0","id":1,"result":{"text":"%s"}}\' % text, flush=True)\n'
    )
    played = plugbay("mcp", "replay", record, "--", sys.executable, "-c", server, code=1)
    assert [line.split()[3] for line in played.splitlines()[1:3]] == ["same", "different"]
    assert '\n    recorded  …xxxxxxxxxxxxxxx2nd"\n' in played


@pytest.mark.parametrize("line", ["no JSON", "[1]", '{"direction": "to-server"}', "[" * 9000])
def test_what_is_no_record_is_said_to_be_none(tmp_path, line):
    record = tmp_path / "record.jsonl"
    record.write_text(line)
    with pytest.raises(Invalid, match="line 1: expected a JSON object as `monitor --record`"):
        read_record(record)


def test_pins_see_a_changed_definition_and_are_approved(monitor, plugbay, tmp_path):
    changed = tmp_path / "changed.py"
    text = SERVER.read_text()
    changed.write_text(text.replace('{"name": name,', '{"name": name, "description": name,'))
    assert changed.read_text() != text

    def tools(server):
        client = monitor("-p", "pins", "--server", "s", server=("--", sys.executable, str(server)))
        client.send(request(1, "tools/list"))
        names = [tool["name"] for tool in client.line()["result"]["tools"]]
        client.call(2, "echo")
        answer = client.line()["result"]
        assert client.end() == 0
        return names, answer["isError"]

    assert tools(SERVER) == (["echo", "exit", "secret"], False)
    assert plugbay("mcp", "pins", "verify") == "all as approved\n"
    assert tools(changed) == ([], True)
    assert plugbay("mcp", "pins", "verify", "s", code=1).count("changed") == 3
    assert plugbay("mcp", "pins", "approve", "s", "echo") == "approved s echo\n"
    assert tools(changed) == (["echo"], False)
    assert "approved" in plugbay("mcp", "pins", "list")
    plugbay("mcp", "pins", "approve", "s")
    assert tools(changed)[0] == ["echo", "exit", "secret"]
    plugbay("mcp", "pins", "approve", "s", "ghost", code=1)
    plugbay("mcp", "pins", "reset", "s")
    plugbay("mcp", "pins", "reset", "s", code=1)
    assert tools(SERVER)[0] == ["echo", "exit", "secret"]


def test_a_record_that_was_changed_is_not_shown(monitor, plugbay, tmp_path):
    record = tmp_path / "record.jsonl"
    client = monitor("--record", str(record), "--set", "recorder.chain=true")
    for id in (1, 2):
        client.call(id)
        client.line()
    assert client.end() == 0
    assert plugbay("mcp", "replay", record).count("tools/call") == 4
    lines = record.read_bytes().splitlines(keepends=True)
    for changed, number in (
        ([lines[0].replace(b'"echo"', b'"evil"'), *lines[1:]], 2),
        ([*lines[:2], *lines[3:]], 3),
        (lines[1:], 1),
    ):
        record.write_bytes(b"".join(changed))
        with pytest.raises(Invalid, match=f"line {number}: .* was changed or taken out"):
            read_record(record)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--log-file", "/proc/no/log"), "the log /proc/no/log cannot be written: No such file"),
        (("--plugin", "contextforge"), "contextforge: its runtime is process: it runs on a gat"),
    ],
)
def test_a_refusal_is_one_line(monitor, arguments, said):
    client = monitor(*arguments)
    assert client.end() == 1
    (line,) = client.errors().splitlines()
    assert line.startswith(f"plugbay: {said}")


def test_policy_and_budget_by_settings(monitor):
    client = monitor(
        *("-p", "tool-policy", "--set", 'tool-policy.rules=[{identity="ann",tools=["e*"]}]'),
        *("-p", "budget", "--set", "budget.calls=2", "-p", "redact", "--identity", "ann"),
    )
    client.send(request(1, "tools/list"))
    assert [tool["name"] for tool in client.line()["result"]["tools"]] == ["echo", "exit"]
    client.call(2, "secret")
    assert client.line()["error"] == {"code": -32602, "message": "Unknown tool: secret"}
    client.call(3, mail="ann@example.com")
    assert "[redacted: email]" in client.line()["result"]["content"][0]["text"]
    client.call(4)
    assert client.line()["result"]["isError"] is False
    client.call(5)
    refused = client.line()["result"]
    assert refused["isError"] is True
    assert refused["_meta"]["plugbay/block"]["violation"] == "rate"
    assert client.end() == 0
