"""What else a server has: schemas, changes, templates, prompts and plain answers."""

import json
from typing import Any

from asking import answered, ask, content_of, need
from content import IMAGE, constant, embedded, text
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.types import (
    Completion,
    EmptyResult,
    InputRequiredResult,
    SetLevelRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)


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
