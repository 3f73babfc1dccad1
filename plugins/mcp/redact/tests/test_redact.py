import asyncio
import base64
import json

import pytest
from plugbay_mcp_redact import Config, Redact

from plugbay.sdk import Message
from plugbay.sdk.redaction import Redactor
from plugbay.sdk.testing import McpTalk, run_plugin

SECRETS = {
    "private-key": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "bearer": "Bearer abcdefghijklmnop1234",
    "api-key": "ghp_" + "a1B2" * 9,
    "email": "ann.smith@mail.example.com",
    "iban": "DE89 3704 0044 0532 0130 00",
    "card": "4111 1111 1111 1111",
    "us-ssn": "123-45-6789",
    "phone": "+49 30 901820",
}
HARMLESS = (
    "version 1.2.3",
    "2026-11-21",
    "1234 5678 9012 3456",
    "a@b",
    "tokens: 5",
    "10.0.0.1",
    "connect(password=password)",
    "token = next_token(1234567)",
    "secret=${SECRET_123}",
    "password: must be at least 8 characters",
    "ftp://host.example:2121/a@b",
)


@pytest.mark.parametrize("kind", SECRETS)
def test_each_kind_is_found(kind):
    text, found = Redactor().text(f"see {SECRETS[kind]} here")
    assert text == f"see [redacted: {kind}] here"
    assert found == {kind: 1}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("DB_PASSWORD=hunter2hunter2 X=1", "DB_PASSWORD=[redacted: assignment] X=1"),
        ("password: 'hunter2hunter2'", "password: '[redacted: assignment]'"),
        ("/x?access_token=abc123&n=1", "/x?access_token=[redacted: assignment]&n=1"),
        ("postgres://ann:p4ss@db:5432/x", "postgres://ann:[redacted: url-password]@db:5432/x"),
    ],
)
def test_of_an_assignment_and_an_address_only_the_secret_goes(text, clean):
    assert Redactor().text(text)[0] == clean


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_stays(text):
    assert Redactor().text(text) == (text, {})


def test_names_and_nesting():
    value = {"password": "x", "a": [{"api_key": "y", "keyboard": "z"}], "token": 5}
    clean, found = Redactor().value(value)
    mark = "[redacted: name]"
    assert clean == {"password": mark, "a": [{"api_key": mark, "keyboard": "z"}], "token": 5}
    assert found == {"name": 2}
    deep = json.loads("[" * 300 + "]" * 300)
    assert Redactor().value(deep)[1] == {"too-deep": 1}
    with pytest.raises(ValueError, match="no such kind: emails"):
        Redactor(["emails"])


@pytest.mark.parametrize(
    "secret", ["x", 'a "quoted" one', "back\\slash\\", "line\nfeed", "long" * 9999]
)
@pytest.mark.parametrize("indent", [None, 2])
def test_names_in_json_that_stands_in_a_text(secret, indent):
    plain = {"password": "", "keyboard": "k", "next": {"token": 5, "last": "l"}}
    text = json.dumps({"api_key": secret, **plain}, indent=indent)
    clean, found = Redactor().text(f"It says: {text} and more")
    inside = json.loads(clean.removeprefix("It says: ").removesuffix(" and more"))
    assert inside == {"api_key": "[redacted: name]", **plain}
    assert found == {"name": 1}
    assert Redactor(names=False).text(text) == (text, {})
    cut, _ = Redactor().text('{"token": "abcdef')
    assert cut == '{"token": "[redacted: name]'


def asked(talk, method, **params):
    """A request of the server."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    raw = json.dumps(body).encode()
    return Message(raw, "to-client", "request", 1, method, talk.session)


def failed(request, message):
    body = {"jsonrpc": "2.0", "id": request.id, "error": {"code": 1, "message": message}}
    raw = json.dumps(body).encode()
    about = request.method, request.session
    return Message(raw, "to-client", "error", request.id, *about, request=request)


def test_results_prompts_and_questions_are_cleaned():
    async def main():
        async with run_plugin(Redact, Config(arguments=True)) as plugin:
            talk, one = McpTalk(), plugin.plugin
            call = talk.call("read", to="ann@example.com", n=1)
            assert one.on_message(call).arguments == {"to": "[redacted: email]", "n": 1}
            content = [{"type": "text", "text": "ann@example.com"}]
            answer = talk.response(call, content=content, structuredContent={"secret": "s"})
            clean = one.on_message(answer)
            assert "ann" not in clean.raw.decode()
            assert clean.result["structuredContent"] == {"secret": "[redacted: name]"}
            assert clean.id == answer.id
            assert one.on_message(talk.response(call, content=[])) is None
            prompt = talk.request("prompts/get", name="p")
            assert one.on_message(prompt) is None
            assert one.on_message(talk.response(prompt, messages=["+49 30 901820"])) is not None
            assert one.on_message(talk.response(prompt, contents=["ok"])) is None
            ask = asked(talk, "sampling/createMessage", text="ann@example.com")
            assert "ann" not in one.on_message(ask).raw.decode()
            count = plugin.host.metrics.value("found_total", kind="email")
            assert count == 3

    asyncio.run(main())


def test_what_is_switched_off_is_left():
    async def main():
        config = Config(results=False, requests=False)
        async with run_plugin(Redact, config) as plugin:
            talk = McpTalk()
            call = talk.call("read", to="ann@example.com")
            assert plugin.plugin.on_message(call) is None
            answer = talk.response(call, text="ann@example.com")
            assert plugin.plugin.on_message(answer) is None
            assert plugin.plugin.on_message(asked(talk, "x", text="ann@example.com")) is None

    asyncio.run(main())


def cleaned(message, **config):
    async def main():
        async with run_plugin(Redact, Config(**config)) as plugin:
            return plugin.plugin.on_message(message)

    return asyncio.run(main())


WHO = "ann@example.com"
BLOB = base64.b64encode(f"write to {WHO}".encode()).decode()
TALK = McpTalk()
CALL = TALK.call("read")
TASK = TALK.request("tasks/result", taskId="t")


@pytest.mark.parametrize(
    "message",
    [
        failed(CALL, f"{WHO} is not there"),
        TALK.notification("notifications/progress", progressToken=1, message=WHO),
        TALK.notification("notifications/message", level="info", data={"password": "x"}),
        TALK.response(TASK, content=[{"type": "text", "text": WHO}]),
        TALK.response(CALL, structuredContent={"mails": {WHO: 3}}),
        TALK.response(CALL, content=[{"type": "resource", "resource": {"blob": BLOB}}]),
        TALK.response(TALK.request("completion/complete"), completion={"values": [WHO]}),
        TALK.response(CALL, resultType="input_required", inputRequests={"a": {"message": WHO}}),
    ],
    ids=lambda message: f"{message.kind} {message.method}",
)
def test_whatever_a_server_says_is_cleaned(message):
    clean = cleaned(message)
    assert WHO not in clean.raw.decode()
    assert BLOB not in clean.raw.decode()
    assert cleaned(message, results=False, requests=False) is None


def test_blobs_stay_what_they_are():
    contents = [{"uri": "a:b", "blob": blob} for blob in (BLOB, "iVBORw0KGgo=", "no base64")]
    found = cleaned(TALK.response(TALK.request("resources/read"), contents=contents))
    blobs = [one["blob"] for one in found.result["contents"]]
    assert base64.b64decode(blobs[0]) == b"write to [redacted: email]"
    assert blobs[1:] == ["iVBORw0KGgo=", "no base64"]


def test_what_must_come_back_as_it_was_stays():
    jwt = SECRETS["jwt"]
    asks = {"resultType": "input_required", "requestState": jwt}
    assert cleaned(TALK.response(CALL, **asks)) is None
    found = cleaned(TALK.response(CALL, **asks, inputRequests={"a": WHO}))
    assert found.result == {**asks, "inputRequests": {"a": "[redacted: email]"}}
    listing = TALK.response(TALK.request("tools/list"), tools=[], nextCursor=jwt)
    assert cleaned(listing) is None


def test_two_names_of_members_do_not_become_one():
    value = {"ann@example.com": 1, "bob@example.com": 2, "eve@example.com": 3, "plain": 4}
    clean, found = Redactor().value(value)
    mark = "[redacted: email]"
    assert clean == {mark: 1, f"{mark} 2": 2, f"{mark} 3": 3, "plain": 4}
    assert found == {"email": 3}


def test_answers_of_clients_are_cleaned_with_the_arguments():
    body = {"jsonrpc": "2.0", "id": 1, "result": {"content": {"text": WHO}}}
    raw = json.dumps(body).encode()
    answer = Message(raw, "to-server", "response", 1, "elicitation/create", TALK.session)
    retry = TALK.request("tools/call", name="read", inputResponses={"a": WHO}, requestState=WHO)
    for message in answer, retry:
        assert cleaned(message) is None
        clean = cleaned(message, arguments=True)
        assert "redacted" in clean.raw.decode()
    assert clean.params["requestState"] == WHO
