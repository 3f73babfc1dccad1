"""What is wrong with the MCP servers and federations of a document."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from plugbay.control import (
    DeleteMcpFederation,
    DeleteMcpServer,
    DeleteUpstream,
    PutMcpFederation,
    PutMcpServer,
    PutUpstream,
)
from plugbay.kernel import Invalid, Problem
from plugbay.mcp.serving import FederationSpec, McpSpec, ServerSpec, problems_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from plugbay.control import Desired

    Here = Callable[[McpSpec, McpSpec], Sequence[Problem]]


def mcp_problems(
    desired: Desired, mcp: McpSpec, changes: Iterable[object], here: Here
) -> Iterator[Problem]:
    """Yield what would be wrong after these changes of `mcp`; names are in the pointers.

    What is sound in itself is also looked at `here`: whether this machine can run it.
    """
    servers, federations = dict(desired.mcp_servers), dict(desired.mcp_federations)
    upstreams = dict.fromkeys(desired.upstreams)
    for change in changes:
        match change:
            case PutMcpServer(server=server):
                servers[server.name] = server
            case PutMcpFederation(federation=federation):
                federations[federation.name] = federation
            case PutUpstream(upstream=upstream):
                upstreams[upstream.name] = None
            case DeleteMcpServer(name=name):
                del servers[name]
            case DeleteMcpFederation(name=name):
                del federations[name]
            case DeleteUpstream(name=name):
                del upstreams[name]
            case _:
                pass
    yield from _twice(mcp)
    made = McpSpec(servers=tuple(servers.values()), federations=tuple(federations.values()))
    yield from tuple(problems_of(made, tuple(upstreams), by_name=True)) or here(made, desired.mcp)


def refuse_what_cannot_run(spec: ServerSpec | FederationSpec, desired: Desired, here: Here) -> None:
    """Raise `Invalid`, with pointers into the one that is to be made."""
    if isinstance(spec, ServerSpec):
        kind, made = "servers", McpSpec(servers=(spec,))
    else:
        kind, made = "federations", McpSpec(federations=(spec,))
    at = f"/mcp/{kind}/{spec.name}"
    problems = tuple(
        replace(problem, pointer=problem.pointer.removeprefix(at))
        for problem in here(made, desired.mcp)
    )
    if problems:
        more = "; ".join(f"{one.pointer}: {one.detail}" for one in problems)
        raise Invalid(f"{spec.name} cannot run here: {more}", problems=problems)


def _twice(mcp: McpSpec) -> Iterator[Problem]:
    kinds = (("servers", mcp.servers), ("federations", mcp.federations))
    for kind, found in kinds:
        for name, times in Counter(one.name for one in found).items():
            if times > 1:
                yield Problem(f"/mcp/{kind}", f"{name!r} is there more than once", found=name)
