"""What a plugin may answer of a message of MCP, and what it may not."""

from __future__ import annotations

import json

import pytest

from plugbay.runtimes.process._codec import WrongAnswer
from plugbay.runtimes.process._mcp_codec import read_answer, write_message
from plugbay.runtimes.process._pb import hook_pb2 as pb
from plugbay.sdk import Block, Message
from plugbay.sdk.testing import McpTalk


def raw(**body: object) -> bytes:
    return json.dumps(body).encode()


def test_the_id_and_the_method_stay_whatever_the_plugin_says() -> None:
    call = McpTalk().call("echo")
    said = pb.McpAnswer(raw=raw(id="other", method="tools/list", params={"name": "x"}))
    found = read_answer(said, call)
    assert isinstance(found, Message)
    assert found.body == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "x"},
    }
    assert (found.id, found.kind, found.direction) == (1, "request", "to-server")


def test_a_result_may_become_an_error_and_back() -> None:
    talk = McpTalk()
    answer = talk.response(talk.call("echo"), content=[])
    error = read_answer(pb.McpAnswer(raw=raw(error={"code": 1, "message": "no"})), answer)
    assert isinstance(error, Message)
    assert (error.kind, error.id, error.request) == ("error", 1, answer.request)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (pb.McpAnswer(raw=b"{"), "no JSON"),
        (pb.McpAnswer(raw=b"[" * 100_000), "no JSON"),
        (pb.McpAnswer(raw=b"[]"), "no JSON object"),
        (pb.McpAnswer(raw=b"{}", answer=True), "either a result or an error"),
        (pb.McpAnswer(raw=raw(result={}, error={}), answer=True), "either a result or an error"),
        (pb.McpAnswer(block=pb.McpBlock(reason="no", code=-32001)), "belongs to the MCP"),
    ],
)
def test_what_is_no_answer_to_a_request(answer: pb.McpAnswer, said: str) -> None:
    with pytest.raises(WrongAnswer, match=said):
        read_answer(answer, McpTalk().call("echo"))


@pytest.mark.parametrize("answer", [True, False])
def test_what_is_no_request_has_no_answer(answer: bool) -> None:
    talk = McpTalk()
    message = talk.notification("x") if answer else None
    with pytest.raises(WrongAnswer, match="no request"):
        read_answer(pb.McpAnswer(raw=b"{}", answer=answer), message)


def test_what_observers_are_told() -> None:
    call = McpTalk().call("echo")
    call.blocked = Block("no", 42901, "budget", 1.5)
    told = pb.McpMessage()
    write_message(told, call)
    assert told.blocked == pb.McpBlock(
        reason="no", code=42901, violation="budget", retry_after=1.5, retries=True
    )
    assert read_answer(pb.McpAnswer(block=told.blocked), call) == call.blocked
