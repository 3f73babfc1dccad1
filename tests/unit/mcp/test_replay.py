"""What a fresh process says of itself in its answer to the handshake that is told again."""

from __future__ import annotations

import pytest

from plugbay.mcp._replay import changed_lists


def answer(result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":"plugbay-replay-0","result":%b}' % result


@pytest.mark.parametrize("result", [b"5", b"[]", b'{"capabilities":7}', b'{"capabilities":{}}'])
def test_one_that_says_nothing_of_lists_has_changed_none(result: bytes) -> None:
    assert changed_lists(answer(result)) == []


def test_lists_whose_changes_are_told_may_be_others_now() -> None:
    told = b'{"capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":false}}}'
    assert changed_lists(answer(told)) == [
        b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
    ]
