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
from plugbay.kernel import Problem
from plugbay.mcp.serving import McpSpec, problems_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plugbay.control import Desired


def mcp_problems(desired: Desired, mcp: McpSpec, changes: Iterable[object]) -> Iterator[Problem]:
    """Yield what would be wrong after these changes, with pointers into the document: `mcp`."""
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
    for problem in problems_of(made, tuple(upstreams), by_name=True):
        yield replace(problem, pointer=_in_document(problem.pointer, mcp))


def _twice(mcp: McpSpec) -> Iterator[Problem]:
    kinds = (("servers", mcp.servers), ("federations", mcp.federations))
    for kind, found in kinds:
        for name, times in Counter(one.name for one in found).items():
            if times > 1:
                yield Problem(f"/mcp/{kind}", f"{name!r} is there more than once", found=name)


def _in_document(pointer: str, mcp: McpSpec) -> str:
    """Put the place in the document for the name; what it does not have keeps its name."""
    _, top, kind, escaped, *rest = pointer.split("/")
    name = escaped.replace("~1", "/").replace("~0", "~")
    names = [one.name for one in (mcp.servers if kind == "servers" else mcp.federations)]
    place = str(names.index(name)) if name in names else escaped
    return "/".join(("", top, kind, place, *rest))
