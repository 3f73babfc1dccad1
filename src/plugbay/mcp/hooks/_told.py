"""The hooks that are about no message: a session begins, a server writes or ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.mcp._answers import plugin_failed
from plugbay.mcp.hooks._deadline import within
from plugbay.mcp.hooks._member import FAULTS
from plugbay.sdk import Block

if TYPE_CHECKING:
    from plugbay.kernel import Hook
    from plugbay.mcp.hooks._chain import Chain
    from plugbay.mcp.hooks._member import Link
    from plugbay.sdk import McpSession


async def session_opened(chain: Chain, session: McpSession) -> Block | None:
    """Ask every plugin whether a session may begin; the first that refuses decides."""
    for link, hook in chain.hooks("on_session"):
        if not link.allowed():
            verdict = link.skipped()
        else:
            answer, failed = await _call(link, hook, session)
            if isinstance(answer, Block) and link.mode != "observe":
                return answer
            verdict = plugin_failed(link.id) if failed and link.closed else None
        if verdict is not None:
            return verdict
    return None


async def tell(chain: Chain, name: str, *arguments: object) -> None:
    """Tell every plugin that has the hook."""
    for link, hook in chain.hooks(name):
        if link.allowed():
            await _call(link, hook, *arguments)


async def _call(link: Link, hook: Hook, *arguments: object) -> tuple[object, bool]:
    try:
        answer = hook.call(*arguments)
        if hook.coroutine:
            answer = await within(link.seconds, answer)
    except FAULTS as error:
        link.failed(error)
        return None, True
    link.worked(0.0)
    return answer, False
