"""The capabilities of the SDK as data: which base gives which hooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugbay.sdk import (
    AdminOperations,
    AsgiApp,
    BodyFilter,
    EventHandler,
    McpFilter,
    Observer,
    RequestFilter,
    ResponseFilter,
    Stateful,
)

if TYPE_CHECKING:
    from plugbay.sdk import Capability


@dataclass(frozen=True, slots=True)
class HookSpec:
    """One hook: the names of its parameters, and how it may be written.

    `kind` is `either` for a function or a coroutine, `plain` for a function, `coroutine`, and
    `stream` for an async generator or a function that returns an async iterator.
    """

    name: str
    parameters: tuple[str, ...]
    kind: str = "either"


@dataclass(frozen=True, slots=True)
class CapabilitySpec:
    """One capability: its base class, its hooks, and whether each must be overridden."""

    name: Capability
    base: type[Any]
    hooks: tuple[HookSpec, ...]
    all_required: bool = True


COMMON = (
    HookSpec("start", (), "coroutine"),
    HookSpec("stop", (), "coroutine"),
    HookSpec("health", (), "coroutine"),
)

CAPABILITIES = (
    CapabilitySpec("request-filter", RequestFilter, (HookSpec("on_request", ("request",)),)),
    CapabilitySpec(
        "response-filter", ResponseFilter, (HookSpec("on_response", ("request", "response")),)
    ),
    CapabilitySpec(
        "body-filter",
        BodyFilter,
        (
            HookSpec("request_body", ("request", "chunks"), "stream"),
            HookSpec("response_body", ("request", "response", "chunks"), "stream"),
        ),
        all_required=False,
    ),
    CapabilitySpec(
        "observer", Observer, (HookSpec("on_complete", ("request", "response", "timing")),)
    ),
    CapabilitySpec("asgi-app", AsgiApp, (HookSpec("app", ("scope", "receive", "send")),)),
    CapabilitySpec("event-handler", EventHandler, (HookSpec("on_event", ("event",)),)),
    CapabilitySpec(
        "mcp-filter",
        McpFilter,
        (
            *(
                HookSpec(name, ("message",))
                for name in (
                    "on_message",
                    "on_handshake",
                    "on_list",
                    "on_tool_call",
                    "on_tool_result",
                    "on_prompt",
                    "on_resource",
                    "on_server_request",
                    "on_notification",
                )
            ),
            HookSpec("on_session", ("session",)),
            HookSpec("on_session_end", ("session",)),
            HookSpec("on_stderr", ("session", "line")),
            HookSpec("on_exit", ("session", "code")),
        ),
        all_required=False,
    ),
    CapabilitySpec(
        "admin-operations",
        AdminOperations,
        (HookSpec("on_operation", ("name", "arguments")),),
    ),
    CapabilitySpec(
        "stateful",
        Stateful,
        (HookSpec("snapshot", (), "plain"), HookSpec("restore", ("state",), "plain")),
    ),
)


MCP_HOOKS = tuple(
    hook.name for spec in CAPABILITIES if spec.base is McpFilter for hook in spec.hooks
)
"""The hooks of an `McpFilter`."""


def inherited(cls: type[Any]) -> tuple[CapabilitySpec, ...]:
    """Return the capabilities that a plugin's class inherits."""
    return tuple(spec for spec in CAPABILITIES if issubclass(cls, spec.base))


def overrides(cls: type[Any], spec: CapabilitySpec, hook: HookSpec) -> bool:
    """Return whether a class has a hook of its own, not the SDK's."""
    return getattr(cls, hook.name, None) is not getattr(spec.base, hook.name, None)
