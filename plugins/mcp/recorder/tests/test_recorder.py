import asyncio
import hashlib
import json
import os

import pytest
from plugbay_mcp_recorder import Config, Recorder

from plugbay.sdk import Block, Message
from plugbay.sdk.testing import McpTalk, run_plugin


def record(config, work):
    async def main():
        async with run_plugin(Recorder, config) as plugin:
            work(plugin.plugin, McpTalk())

    asyncio.run(main())


def test_messages_are_recorded_without_secrets_and_for_the_owner_only(tmp_path):
    path = tmp_path / "deep" / "record"

    def work(plugin, talk):
        call = talk.request("tools/call", name="mail", arguments={"to": "ann@example.com"})
        plugin.on_message(call)
        answer = talk.response(
            call, content=[{"type": "text", "text": "ok"}], **{"token": "s3cret"}
        )
        answer.blocked = Block("no", violation="leak")
        plugin.on_message(answer)
        plugin.on_exit(talk.session, 0)

    os.umask(os.umask(0))
    record(Config(path=str(path)), work)
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "ann@" not in text
    assert "s3cret" not in text
    asked, answered, ended = map(json.loads, text.splitlines())
    assert asked["body"]["params"]["arguments"] == {"to": "[redacted: email]"}
    assert asked["body"]["redacted"] == 1
    assert (asked["direction"], asked["method"], asked["id"]) == ("to-server", "tools/call", 1)
    assert answered["blocked"] == {"code": 40301, "violation": "leak"}
    assert ended["exit"] == 0


def test_a_chain_goes_on_after_a_restart(tmp_path):
    path = tmp_path / "record"
    config = Config(path=str(path), chain=True, redact=False)
    for _ in range(2):
        record(config, lambda plugin, talk: plugin.on_message(talk.request("ping")))
    first, second = path.read_bytes().splitlines(keepends=True)
    assert json.loads(first)["before"] == ""
    assert json.loads(second)["before"] == hashlib.sha256(first).hexdigest()


def test_long_messages_leave_their_size_only(tmp_path):
    path = tmp_path / "record"

    def work(plugin, talk):
        plugin.on_message(talk.request("tools/call", name="x" * 500))

    record(Config(path=str(path), max_message=100), work)
    found = json.loads(path.read_text())
    assert "body" not in found
    assert found["size"] > 500


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        record(Config(path=str(tmp_path / "link")), lambda plugin, talk: None)


@pytest.mark.parametrize("redact", [True, False])
def test_what_cannot_be_parsed_is_recorded_too(tmp_path, redact):
    path = tmp_path / "record"

    def work(plugin, talk):
        raw = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"ann@example.com \xff"}}'
        long = "x" * 5000
        plugin.on_message(Message(raw, "to-server", "request", long, long, talk.session))

    record(Config(path=str(path), redact=redact), work)
    found = json.loads(path.read_text())
    said = "[redacted: email]" if redact else "ann@example.com"
    assert f'{{"a":"{said} \ufffd"}}' in found["body"]["unreadable"]
    assert len(found["method"]) == len(found["id"]) == 1000
