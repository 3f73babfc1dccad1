"""Tools that talk to the client while they work."""

import asyncio
from typing import Annotated, Any

from content import text
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import MISSING_REQUIRED_CLIENT_CAPABILITY, SamplingMessage
from pydantic import BaseModel, Field, create_model


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
