"""The official Python SDK's client, for `mcp_interop.py`; `mcp_interop.mjs` is the other one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp import Client, StdioServerParameters, stdio_client, types

if TYPE_CHECKING:
    from collections.abc import Sequence


async def go(url: str, command: Sequence[str], steps: list[list[Any]]) -> list[Any]:
    """Connect to an address, or to a command where there is none; return what came of each step."""
    asked: list[object] = []

    async def sample(
        context: object, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        asked.append(len(params.messages))
        content = types.TextContent(type="text", text="sampled")
        return types.CreateMessageResult(role="assistant", model="none", content=content)

    async def elicit(context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action="decline")

    async def roots(context: object) -> types.ListRootsResult:
        root = {"uri": "file:///interop", "name": "interop"}
        return types.ListRootsResult.model_validate({"roots": [root]})

    server: Any = url
    if not url:
        program, *arguments = command
        server = stdio_client(StdioServerParameters(command=program, args=arguments))
    found: list[Any] = []
    async with Client(
        server,
        mode="legacy",
        sampling_callback=sample,
        elicitation_callback=elicit,
        list_roots_callback=roots,
    ) as client:
        found.append(["server", plain(client.server_info), plain(client.server_capabilities)])
        for what, *values in steps:
            try:
                outcome = await _step(client, what, values)
            except Exception as error:  # noqa: BLE001 -- what it raises is what is compared
                outcome = {"error": type(error).__name__, "message": str(error)}
            found.append([what, values[0] if values else None, outcome])
    return [*found, ["asked", asked]]


async def _step(client: Any, what: str, values: list[Any]) -> Any:
    if what == "progress":
        seen: list[Any] = []

        async def progress(done: float, total: float | None, _: str | None) -> None:
            seen.append([done, total])

        result = await client.call_tool(*values, progress_callback=progress)
        return {"seen": seen, "result": plain(result)}
    does = {
        "tools": client.list_tools,
        "prompts": client.list_prompts,
        "resources": client.list_resources,
        "templates": client.list_resource_templates,
        "ping": client.send_ping,
        "read": client.read_resource,
        "prompt": client.get_prompt,
        "call": client.call_tool,
    }
    return plain(await does[what](*values))


def plain(value: Any) -> Any:
    """Return a result of the SDK as JSON."""
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
