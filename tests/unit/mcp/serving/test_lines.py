"""What the lines of a server are read as."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from plugbay.mcp._framing import TooLong
from plugbay.mcp.serving._lines import messages

if TYPE_CHECKING:
    import pytest


def test_a_message_that_is_too_long_becomes_the_error_that_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    head = b'{"jsonrpc": "2.0", "id": 7, "result": {"content": "aaaa'
    lines = [b'{"jsonrpc":"2.0","method":"notifications/a"}', TooLong(99, head, b'a"}}'), b"junk"]
    (notice, about), (error, answer) = messages(lines, "files")
    assert (notice, about.kind) == (lines[0], "notification")
    assert (answer.kind, answer.id) == ("error", 7)
    assert "99 bytes" in json.loads(error)["error"]["message"]
    assert "files wrote no JSON-RPC message, dropped: b'junk'" in caplog.text
