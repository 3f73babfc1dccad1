"""Tools that need input first (multi round-trip requests of 2026-07-28)."""

import json
from typing import Any

from content import text
from mcp.server.mcpserver import Context
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
)


def ask(message: str, **properties: str) -> ElicitRequest:
    types = {name: {"type": kind} for name, kind in properties.items()}
    schema = {"type": "object", "properties": types, "required": list(types)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(prompt: str) -> CreateMessageRequest:
    messages = [SamplingMessage(role="user", content=text(prompt))]
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=messages, max_tokens=50))


def content_of(ctx: Context, key: str) -> dict[str, Any]:
    answer = (ctx.input_responses or {}).get(key)
    return getattr(answer, "content", None) or {}


def answered(ctx: Context, *keys: str) -> bool:
    return set(keys) <= set(ctx.input_responses or ())


def need(state: str | None = None, **requests: Any) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests, request_state=state)


Asked = str | InputRequiredResult


async def test_input_required_result_elicitation(ctx: Context) -> Asked:
    """Needs a name."""
    if answered(ctx, "user_name"):
        return f"Hello, {content_of(ctx, 'user_name').get('name')}!"
    return need(user_name=ask("What is your name?", name="string"))


async def test_input_required_result_sampling(ctx: Context) -> Asked:
    """Needs the client's model."""
    if answered(ctx, "capital_question"):
        return f"The model said: {getattr(content_of(ctx, 'capital_question'), 'text', '')}"
    return need(capital_question=sample("What is the capital of France?"))


async def test_input_required_result_list_roots(ctx: Context) -> Asked:
    """Needs the client's roots."""
    if answered(ctx, "client_roots"):
        return "There are roots."
    return need(client_roots=ListRootsRequest())


async def test_input_required_result_request_state(ctx: Context) -> Asked:
    """Needs its own state back."""
    if answered(ctx, "confirm") and ctx.request_state == "nonce":
        return "state-ok: it came back"
    return need("nonce", confirm=ask("Please confirm", ok="boolean"))


async def test_input_required_result_multiple_inputs(ctx: Context) -> Asked:
    """Needs three things at once."""
    if answered(ctx, "user_name", "greeting", "client_roots"):
        return "All is there."
    requests = {"user_name": ask("Your name?", name="string"), "greeting": sample("Greet me")}
    return need("three", **requests, client_roots=ListRootsRequest())


async def test_input_required_result_multi_round(ctx: Context) -> Asked:
    """Needs one thing after the other."""
    state = json.loads(ctx.request_state or '{"round": 0}')
    if state["round"] == 1 and answered(ctx, "step1"):
        after = {"round": 2, "name": content_of(ctx, "step1").get("name")}
        return need(json.dumps(after), step2=ask("Step 2: which colour?", color="string"))
    if state["round"] == 2 and answered(ctx, "step2"):
        return f"{state['name']} likes {content_of(ctx, 'step2').get('color')}."
    return need('{"round": 1}', step1=ask("Step 1: your name?", name="string"))


async def test_input_required_result_tampered_state(ctx: Context) -> Asked:
    """Takes only a state that it has made itself; the SDK sees to it."""
    if ctx.request_state is not None:
        return f"state-ok: {ctx.request_state}"
    return need("first", confirm=ask("Please confirm", ok="boolean"))


async def test_input_required_result_capabilities(ctx: Context) -> InputRequiredResult:
    """Asks only for what the client can do."""
    able = ctx.client_capabilities
    requests: dict[str, Any] = {}
    if able is None or able.sampling is not None:
        requests["sample"] = sample("Say hello")
    if able is None or able.elicitation is not None:
        requests["ask"] = ask("Your name?", name="string")
    return need("able", **requests)


ASKING = (
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_tampered_state,
    test_input_required_result_capabilities,
)
