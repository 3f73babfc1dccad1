"""The manifest: what a plugin says of itself before any of its code runs (`plugbay.toml`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Phase = Literal["pre-routing", "post-routing", "pre-response"]
PHASES: tuple[Phase, ...] = ("pre-routing", "post-routing", "pre-response")

Capability = Literal[
    "request-filter",
    "response-filter",
    "body-filter",
    "observer",
    "asgi-app",
    "event-handler",
    "mcp-filter",
    "stateful",
    "admin-operations",
]

PROCESS_CAPABILITIES: tuple[Capability, ...] = (
    "request-filter",
    "response-filter",
    "body-filter",
    "observer",
    "event-handler",
    "mcp-filter",
    "stateful",
)
"""What a plugin in a process of its own can do: the calls that the protocol carries."""

McpMode = Literal["guard", "transform", "check", "observe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Where a plugin runs: by phase, then `before`/`after` other ids, then low priority first."""

    phase: Phase = "post-routing"
    priority: int = 500
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the plugin asks for; the operator's policy may lower it.

    `cpu_seconds`, processor time in all (0: no limit), and `open_files` bound the process of a
    plugin that has one of its own; so does `memory_mb`, strictly.
    """

    memory_mb: int = 64
    request_ms: int = 1000
    start_ms: int = 10_000
    cpu_seconds: int = 0
    open_files: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What the plugin wants to reach. Nothing is granted that is not named."""

    network: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mcp:
    """How an `mcp-filter` takes part in MCP traffic.

    `mode` is what it may do: a `guard` blocks and changes, one plugin after the other; a
    `transform` changes; a `check` blocks, all of them at once; an `observe` looks on from behind
    and delays nothing. `hook_ms` is the time that a coroutine hook has. With `targets` (names of
    tools and prompts or URIs, with `*`) its hooks for tools, prompts and resources are called
    for those only.
    """

    mode: McpMode = "guard"
    hook_ms: int = 250
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A plugin's description.

    `id` is `[a-z][a-z0-9-]*` and names the slot; `version` is a PEP 440 version; `api` is the
    version of this SDK (`plugbay.sdk.API`); `entry` is `module:Class`; `requires` maps plugin
    ids to version specifiers (PEP 440); `on_error` says whether a request goes on (`open`) or
    is refused (`closed`) when a hook raises or is late. `config` is the configuration that it is
    tried with, and that it begins with where an operator gives none.
    """

    id: str
    version: str
    api: int
    runtime: Literal["python", "process", "wasm", "goso"]
    entry: str
    summary: str = ""
    provides: tuple[Capability, ...] = ()
    requires: dict[str, str] = field(default_factory=dict[str, str])
    order: Order = field(default_factory=Order)
    reload: Literal["overlap", "exclusive"] = "overlap"
    on_error: Literal["open", "closed", "default"] = "default"
    limits: Limits = field(default_factory=Limits)
    permissions: Permissions = field(default_factory=Permissions)
    mcp: Mcp = field(default_factory=Mcp)
    config: dict[str, Any] = field(default_factory=dict[str, Any])
