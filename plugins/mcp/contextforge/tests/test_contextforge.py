"""Plugins of ContextForge from PyPI, as they are, in the process that a gateway starts for them."""

from __future__ import annotations

import asyncio
import contextlib
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from bench._contextforge import PACKAGE, environment

from plugbay.kernel import LoadRequest, StartFailed, convert
from plugbay.sdk import Block, Manifest, Message
from plugbay.sdk.testing import FakeHost, McpTalk
from unit.runtimes.wheelhost.both import ask, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from plugbay.kernel import Instance

pytestmark = pytest.mark.timeout(300)
SSN, KEY, TOKEN = "123-45-6789", "AKIAIOSFODNN7EXAMPLE", "card 4111 1111 1111 1111"
PII = "cpex_pii_filter.pii_filter.PIIFilterPlugin"
SECRETS = "cpex_secrets_detection.secrets_detection.SecretsDetectionPlugin"
EXFIL = "cpex_encoded_exfil_detection.encoded_exfil_detection.EncodedExfilDetectorPlugin"
YAML = f"""
plugins:
  - name: Secrets
    kind: {SECRETS}
    hooks: [tool_pre_invoke, tool_post_invoke, resource_post_fetch]
    mode: enforce
    priority: 20
    conditions: [{{server_ids: [test]}}]
    config: {{block_on_detection: true}}
  - name: Elsewhere
    kind: {SECRETS}
    hooks: [tool_pre_invoke]
    mode: enforce
    priority: 5
    conditions: [{{server_ids: [another]}}]
    config: {{block_on_detection: true, min_findings_to_block: 0}}
  - name: Off
    kind: mcpgateway.plugins.gone.Gone
    mode: disabled
plugin_dirs: [plugins]
plugin_settings: {{plugin_timeout: 30}}
"""
REDACT = {
    "name": "PII",
    "kind": PII,
    "hooks": ["tool_pre_invoke", "tool_post_invoke", "prompt_pre_fetch", "prompt_post_fetch"],
    "mode": "enforce",
    "priority": 10,
    "config": {"default_mask_strategy": "redact"},
}


@pytest.fixture(scope="module")
def forged() -> Path:
    """An environment with cpex and its plugins; the wheels come with the set-up."""
    return environment()


@contextlib.asynccontextmanager
async def plugin(forged: Path, **config: Any) -> AsyncIterator[tuple[Instance, FakeHost]]:
    manifest = convert(
        tomllib.loads((PACKAGE / "plugbay.toml").read_text()), Manifest, what="plugbay.toml"
    )
    host = FakeHost(plugin="contextforge")
    request = LoadRequest(
        manifest=manifest,
        payload=PACKAGE.parent,
        digest="",
        config=config,
        host=host,
        generation=1,
    )
    async with running(request, "process", forged) as instance:
        yield instance, host


def test_plugins_from_pypi_change_and_block_messages(forged: Path) -> None:
    talk = McpTalk(identity="ann")

    def text(content: str) -> list[dict[str, str]]:
        return [{"type": "text", "text": content}]

    async def main() -> None:
        async with plugin(forged, plugins=[REDACT], yaml=YAML) as (instance, _):

            async def tool(name: str, **arguments: Any) -> Any:
                return await ask(instance, "on_tool_call", talk.call(name, **arguments))

            async def result(**said: Any) -> Any:
                call = talk.call("echo", text="hello")
                assert await ask(instance, "on_tool_call", call) is None
                return await ask(instance, "on_tool_result", talk.response(call, **said))

            changed = await tool("echo", text=f"it is {SSN}", deep={"list": [SSN, 1.5, None]})
            assert isinstance(changed, Message)
            assert SSN.encode() not in changed.raw
            assert changed.target == "echo"
            assert changed.arguments["text"] == "it is [REDACTED]"
            assert changed.arguments["deep"]["list"][1:] == [1.5, None]

            assert await tool("echo", text="hello") is None
            blocked = await tool("echo", text=KEY)
            assert isinstance(blocked, Block)
            assert (blocked.code, blocked.violation) == (40301, "SECRETS_DETECTED")
            assert "Secrets" in blocked.reason
            assert KEY not in blocked.reason

            masked = await result(content=text(SSN), structuredContent={"ssn": SSN}, isError=False)
            assert isinstance(masked, Message)
            assert SSN.encode() not in masked.raw
            assert masked.result["structuredContent"] == {"ssn": "[REDACTED]"}
            assert masked.result["isError"] is False
            assert isinstance(await result(content=text(KEY)), Block)
            assert await result(content=text("plain"), _meta={"a": 1}) is None

    asyncio.run(main())


def test_prompts_and_resources_pass_their_hooks(forged: Path) -> None:
    talk = McpTalk(identity="ann", modern=True)

    async def main() -> None:
        async with plugin(forged, plugins=[REDACT], yaml=YAML, unsupported="leave-out") as (
            instance,
            _,
        ):
            asked = talk.request("prompts/get", name="letter", arguments={"to": f"bob {SSN}"})
            changed = await ask(instance, "on_prompt", asked)
            assert changed.arguments == {"to": "bob [REDACTED]"}

            messages = [
                {"role": "user", "content": {"type": "text", "text": f"dear {SSN}"}},
                {"role": "user", "content": {"type": "image", "data": "AAAA", "mimeType": "x/y"}},
            ]
            answer = talk.response(asked, description="d", messages=messages, resultType="complete")
            masked = await ask(instance, "on_prompt", answer)
            assert masked.result["messages"][0]["content"]["text"] == "dear [REDACTED]"
            assert masked.result["messages"][1] == messages[1]
            assert masked.result["description"] == "d"
            assert masked.result["resultType"] == "complete"

            read = talk.request("resources/read", uri="file:///a")
            assert await ask(instance, "on_resource", read) is None
            harmless = {"uri": "file:///a", "mimeType": "text/plain", "text": "nothing"}
            answer = talk.response(read, contents=[harmless])
            assert await ask(instance, "on_resource", answer) is None
            secret = {"uri": "file:///b", "text": f"key {KEY}"}
            answer = talk.response(read, contents=[harmless, secret])
            assert isinstance(await ask(instance, "on_resource", answer), Block)

    asyncio.run(main())


WRONG = (
    ({"kind": "external", "mcp": {"proto": "STDIO", "script": "x.py"}}, "a server of its own"),
    ({"kind": PII, "hooks": ["tool_pre_invoke", "http_pre_request"]}, "the hook http_pre_request"),
    ({"kind": "mcpgateway.plugins.Some", "hooks": ["tool_pre_invoke"]}, "it needs mcpgateway"),
    ({"kind": "some.where.Else", "hooks": ["tool_pre_invoke"]}, "the package some: add its"),
    ({"kind": f"{PII}Not", "hooks": ["tool_pre_invoke"]}, "the class PIIFilterPluginNot"),
    ({"kind": PII, "hooks": ["resource_pre_fetch"]}, "it does not start: PluginError"),
    ({"kind": PII, "hooks": ["tool_pre_invoke"], "mode": "wild"}, "its configuration is wrong"),
    ({"kind": PII, "hooks": []}, "it needs hooks"),
    (
        {"kind": PII, "hooks": ["tool_pre_invoke"], "capabilities": ["read_headers"]},
        "extensions (read_headers)",
    ),
    (
        {
            "kind": PII,
            "hooks": ["tool_pre_invoke"],
            "conditions": [{"tenant_ids": ["acme"]}],
        },
        "set `tenant`",
    ),
)


def test_what_needs_more_is_named_and_nothing_starts(forged: Path) -> None:
    plugins = [{"name": f"P{n}", **one} for n, (one, _) in enumerate(WRONG)]

    async def main() -> str:
        with pytest.raises(StartFailed) as refused:
            async with plugin(forged, plugins=plugins):
                pass
        return refused.value.detail

    said = asyncio.run(main())
    for n, (_, reason) in enumerate(WRONG):
        assert f"P{n}: " in said
        assert reason in said.split(f"P{n}: ")[1].split(f"P{n + 1}: ")[0]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"yaml": "plugins: {{ env.X }}"}, "no variables"),
        ({"yaml": "plugins: 1"}, "no list"),
        ({"yaml": "plugins: ["}, "cannot be read"),
        ({"yaml": "plugins: [1]"}, "is no table"),
    ],
)
def test_a_configuration_that_cannot_be_read(config: dict[str, str], said: str) -> None:
    """Read before anything of the framework is loaded, in whichever process."""
    from plugbay_mcp_contextforge._entries import read_entries

    with pytest.raises(ValueError, match=said):
        read_entries((), config["yaml"])
