"""An MCP server on the official SDK with all that the official conformance suite asks for.

    python mcp_fixture.py stdio | PORT

The names and texts are the suite's. What is constant stands in tables; only what talks back to
the client is code.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import warnings
from collections import defaultdict
from typing import Annotated, Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer, RequestStateSecurity
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field, create_model

# The suite also asks for what the newest protocol has deprecated.
warnings.simplefilter("ignore")

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5E"
    "rkJggg=="
)
SILENCE = base64.b64encode(
    b"RIFF&\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0@\x1f\0\0\x80>\0\0\x02\0\x10\0data\x02\0\0\0\0\0"
).decode()


def text(content: str) -> TextContent:
    return TextContent(type="text", text=content)


def embedded(uri: str, content: str, mime: str = "text/plain") -> EmbeddedResource:
    held = TextResourceContents(uri=uri, mime_type=mime, text=content)
    return EmbeddedResource(type="resource", resource=held)


IMAGE = ImageContent(type="image", data=PIXEL, mime_type="image/png")
AUDIO = AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")
MIXED = embedded("test://mixed-content-resource", '{"test": "data"}', "application/json")
CONSTANT: dict[str, list[Any]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [IMAGE],
    "test_audio_content": [AUDIO],
    "test_embedded_resource": [embedded("test://embedded-resource", "An embedded resource.")],
    "test_multiple_content_types": [text("Multiple content types test:"), IMAGE, MIXED],
}
RESOURCES: dict[str, str | bytes] = {
    "test://static-text": "This is the content of the static text resource.",
    "test://static-binary": base64.b64decode(PIXEL),
    "test://watched-resource": "It can be subscribed to.",
}


class Events(EventStore):
    """Keeps the events of each stream, so that a client can come back for them."""

    def __init__(self) -> None:
        self._streams: defaultdict[str, list[tuple[int, Any]]] = defaultdict(list)
        self._last = 0

    async def store_event(self, stream_id: str, message: Any) -> str:
        self._last += 1
        self._streams[stream_id].append((self._last, message))
        return str(self._last)

    async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
        last = int(last_event_id)
        for stream, events in self._streams.items():
            if any(number == last for number, _ in events):
                for number, message in events:
                    if number > last and message is not None:
                        await send_callback(EventMessage(message, str(number)))
                return stream
        return None


def build() -> MCPServer:
    """Return the server."""
    security = RequestStateSecurity(keys=[b"a key of a test, known to everybody who reads it"])
    server = MCPServer(name="plugbay-fixture", version="1.0.0", request_state_security=security)
    for name, content in CONSTANT.items():
        server.add_tool(constant(content), name=name, description="Always the same.")
    for tool in (*TALKING, *ASKING):
        server.add_tool(tool, description=tool.__doc__)
    for uri, content in RESOURCES.items():
        server.resource(uri, description="Always the same.")(constant(content))
    for add in (add_strict_schema, add_changes, add_template, add_prompts, add_handlers):
        add(server)
    return server


def constant(value: Any) -> Any:
    def give() -> Any:
        return value

    give.__annotations__["return"] = list if isinstance(value, list) else type(value)
    return give


# --- tools that talk while they work


async def test_tool_with_logging(ctx: Context) -> str:
    """Says three things."""
    for step in ("started", "processing data", "completed"):
        await ctx.info(f"Tool execution {step}")
        await asyncio.sleep(0.05)
    return "logged"


async def test_tool_with_progress(ctx: Context) -> str:
    """Goes from nothing to everything."""
    for done in (0, 50, 100):
        await ctx.report_progress(progress=done, total=100, message=f"{done} of 100")
        await asyncio.sleep(0.05)
    return "done"


async def test_sampling(prompt: str, ctx: Context) -> str:
    """Lets the client's model speak."""
    said = await ctx.session.create_message(
        messages=[SamplingMessage(role="user", content=text(prompt))],
        max_tokens=100,
        related_request_id=ctx.request_id,
    )
    return f"LLM response: {said.content.text}"


async def _elicited(ctx: Context, message: str, schema: type[BaseModel], lead: str) -> str:
    answer = await ctx.elicit(message=message, schema=schema)
    content = answer.data.model_dump_json() if answer.action == "accept" else "{}"
    return f"{lead}: action={answer.action}, content={content}"


ONE_ANSWER = create_model("OneAnswer", response=(str, Field(description="What you say.")))


async def test_elicitation(message: str, ctx: Context) -> str:
    """Asks the user for a text."""
    return await _elicited(ctx, message, ONE_ANSWER, "User response")


def chosen(*values: str, **more: Any) -> Any:
    return Field(json_schema_extra={"enum": list(values), **more} if values else more)


def titled(**titles: str) -> list[dict[str, str]]:
    return [{"const": value, "title": title} for value, title in titles.items()]


DEFAULTS = create_model(
    "Defaults",
    name=(str, "John Doe"),
    age=(int, 30),
    score=(float, 95.5),
    status=(str, Field("active", json_schema_extra={"enum": ["active", "inactive", "pending"]})),
    verified=(bool, True),
)
ENUMS = create_model(
    "Enums",
    untitledSingle=(str, chosen("option1", "option2", "option3")),
    titledSingle=(str, chosen(oneOf=titled(value1="First", value2="Second", value3="Third"))),
    untitledMulti=(list[str], chosen(items={"type": "string", "enum": ["one", "two", "three"]})),
    titledMulti=(list[str], chosen(items={"anyOf": titled(a="Option A", b="Option B")})),
    legacyEnum=(str, chosen("opt1", "opt2", enumNames=["Option One", "Option Two"])),
)


async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Asks with a default for every primitive type."""
    return await _elicited(ctx, "Who are you?", DEFAULTS, "Elicitation completed")


async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Asks with every form of an enumeration."""
    return await _elicited(ctx, "Choose.", ENUMS, "Elicitation completed")


def test_error_handling() -> str:
    """Fails."""
    raise RuntimeError("This tool intentionally returns an error for testing")


REGION = Field(description="In a header too.", json_schema_extra={"x-mcp-header": "Region"})


def test_x_mcp_header(region: Annotated[str, REGION] = "none") -> str:  # noqa: PT028 -- a tool
    """Has an argument that is mirrored in a header field."""
    return region


async def test_missing_capability(ctx: Context) -> str:
    """Needs a client that can sample."""
    able = ctx.session.client_capabilities
    if able is None or able.sampling is None:
        needs = {"requiredCapabilities": {"sampling": {}}}
        code = MISSING_REQUIRED_CLIENT_CAPABILITY
        raise MCPError(code=code, message="sampling is required", data=needs)
    return "it can"


async def test_reconnection(ctx: Context) -> str:
    """Closes its stream in the middle, so that the client has to come back."""
    await ctx.info("before")
    await ctx.close_sse_stream()
    await asyncio.sleep(0.2)
    await ctx.info("after")
    return "reconnected"


TALKING = (
    test_tool_with_logging,
    test_tool_with_progress,
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
    test_error_handling,
    test_x_mcp_header,
    test_missing_capability,
    test_reconnection,
)

# --- tools that need input first (multi round-trip requests of 2026-07-28)


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

# --- the rest


def add_strict_schema(server: MCPServer) -> None:
    """A tool whose schema has every keyword of JSON Schema 2020-12 that must survive."""
    words = {"type": "string"}
    address = {"$anchor": "addressDef", "type": "object", "properties": {"city": words}}
    phone, email = {"required": ["phone"]}, {"required": ["email"]}
    by = {"type": "string", "enum": ["phone", "email"]}
    properties = {"name": words, "address": {"$ref": "#/$defs/address"}, "contactMethod": by}
    server.add_tool(constant("valid"), name="json_schema_2020_12_tool", description="Strict.")
    # The SDK takes a schema from a function's signature only.
    server._tool_manager._tools["json_schema_2020_12_tool"].parameters = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": address},
        "properties": {**properties, "phone": words, "email": words},
        "allOf": [{"anyOf": [phone, email]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": phone,
        "else": email,
        "additionalProperties": False,
    }


def add_changes(server: MCPServer) -> None:
    """Tools that change a list and say so to whoever listens."""

    async def test_trigger_tool_change(ctx: Context) -> str:
        server.add_tool(constant(""), name="for_a_moment")
        server.remove_tool("for_a_moment")
        await ctx.notify_tools_changed()
        return "changed"

    async def test_trigger_prompt_change(ctx: Context) -> str:
        server.add_prompt(Prompt.from_function(constant(""), name="for_a_moment"))
        server.remove_prompt("for_a_moment")
        await ctx.notify_prompts_changed()
        return "changed"

    server.add_tool(test_trigger_tool_change, description="Changes the tools.")
    server.add_tool(test_trigger_prompt_change, description="Changes the prompts.")


def add_template(server: MCPServer) -> None:
    """A resource for every id."""

    @server.resource("test://template/{id}/data", description="One for each id.")
    def data(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def add_prompts(server: MCPServer) -> None:
    """Prompts without and with arguments, resources, images and questions."""

    def user(content: Any) -> UserMessage:
        return UserMessage(role="user", content=content)

    def with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        return [user(text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]

    def with_resource(resourceUri: str) -> list[UserMessage]:
        return [user(embedded(resourceUri, "Embedded.")), user(text("Use the resource."))]

    async def with_question(ctx: Context) -> list[UserMessage] | InputRequiredResult:
        if answered(ctx, "user_context"):
            return [user(text(f"Context: {content_of(ctx, 'user_context').get('context')}"))]
        return need(user_context=ask("Which context?", context="string"))

    simple = [user(text("This is a simple prompt for testing."))]
    image = [user(IMAGE), user(text("Look at it."))]
    prompts = {
        "test_simple_prompt": constant(simple),
        "test_prompt_with_arguments": with_arguments,
        "test_prompt_with_embedded_resource": with_resource,
        "test_prompt_with_image": constant(image),
        "test_input_required_result_prompt": with_question,
    }
    for name, function in prompts.items():
        server.add_prompt(Prompt.from_function(function, name=name, description=name))


def add_handlers(server: MCPServer) -> None:
    """Requests that need no more than an answer."""

    async def acknowledge(ctx: Any, params: Any) -> EmptyResult:
        return EmptyResult()

    @server.completion()
    async def complete(ref: Any, argument: Any, context: Any) -> Completion:
        return Completion(values=[], total=0, has_more=False)

    low = server._lowlevel_server
    low.add_request_handler("logging/setLevel", SetLevelRequestParams, acknowledge)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, acknowledge)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, acknowledge)


def main(how: str) -> None:
    """Serve until the end."""
    if how == "stdio":
        build().run("stdio")
        return
    app = build().streamable_http_app(event_store=Events(), retry_interval=100)
    # h11, for httptools leaves white space behind the values of header fields, and the SDK minds.
    uvicorn.run(app, port=int(how), http="h11", log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1])
