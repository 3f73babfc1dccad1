import asyncio
import json

import pytest
from plugbay_mcp_redact import Config, Redact

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
HARMLESS = ("version 1.2.3", "2026-11-21", "1234 5678 9012 3456", "a@b", "tokens: 5", "10.0.0.1")


@pytest.mark.parametrize("kind", SECRETS)
def test_each_kind_is_found(kind):
    text, found = Redactor().text(f"see {SECRETS[kind]} here")
    assert text == f"see [redacted: {kind}] here"
    assert found == {kind: 1}


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


def test_results_prompts_and_questions_are_cleaned():
    async def main():
        async with run_plugin(Redact, Config(arguments=True)) as plugin:
            talk, one = McpTalk(), plugin.plugin
            call = talk.call("read", to="ann@example.com", n=1)
            assert one.on_tool_call(call).arguments == {"to": "[redacted: email]", "n": 1}
            content = [{"type": "text", "text": "ann@example.com"}]
            answer = talk.response(call, content=content, structuredContent={"secret": "s"})
            clean = one.on_tool_result(answer)
            assert "ann" not in clean.raw.decode()
            assert clean.result["structuredContent"] == {"secret": "[redacted: name]"}
            assert clean.id == answer.id
            assert one.on_tool_result(talk.response(call, content=[])) is None
            prompt = talk.request("prompts/get", name="p")
            assert one.on_prompt(prompt) is None
            assert one.on_prompt(talk.response(prompt, messages=["+49 30 901820"])) is not None
            assert one.on_resource(talk.response(prompt, contents=["ok"])) is None
            ask = talk.request("sampling/createMessage", text="ann@example.com")
            assert "ann" not in one.on_server_request(ask).raw.decode()
            count = plugin.host.metrics.value("found_total", kind="email")
            assert count == 3

    asyncio.run(main())


def test_what_is_switched_off_is_left():
    async def main():
        config = Config(results=False, requests=False)
        async with run_plugin(Redact, config) as plugin:
            talk = McpTalk()
            call = talk.call("read", to="ann@example.com")
            assert plugin.plugin.on_tool_call(call) is None
            answer = talk.response(call, text="ann@example.com")
            assert plugin.plugin.on_tool_result(answer) is None
            assert plugin.plugin.on_server_request(call) is None

    asyncio.run(main())
