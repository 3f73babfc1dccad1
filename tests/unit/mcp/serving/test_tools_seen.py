"""The names of tools, as clients were told them."""

from __future__ import annotations

import json

from plugbay.mcp.serving._stream import Stream
from plugbay.mcp.serving._tools_seen import ToolsSeen


def test_the_names_of_tools_are_kept_as_a_client_was_told():
    seen = ToolsSeen()

    def answered(raw, **params):
        stream = Stream(1)
        seen.expect(stream, json.dumps({"method": "tools/list", "params": params}).encode())
        stream.end(raw)
        return seen.names

    def page(*names):
        return json.dumps({"result": {"tools": [{"name": name} for name in names]}}).encode()

    assert answered(page("a", "b")) == ("a", "b")
    assert answered(page("b", "c"), cursor="x") == ("a", "b", "c")
    for odd in (b'{"error":{}}', b'{"result":{"tools":', b'{"result":' + b"[" * 9999):
        assert answered(odd) == ("a", "b", "c")
    assert answered(b'{"result":{"tools":[1,{"name":7}]}}') == ("", "7")
    assert len(answered(page(*range(999)))) == 200
