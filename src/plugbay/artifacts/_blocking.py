"""Calls in a hook that block the event loop, and so every request of the worker."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from plugbay.artifacts._modules import dotted_name, imports
from plugbay.artifacts._signatures import own_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plugbay.artifacts._modules import Module
    from plugbay.artifacts._signatures import Function

_THREAD = "call it by asyncio.to_thread"
_PROCESS = "use asyncio.create_subprocess_exec"
_BLOCKING: Mapping[str, str] = {
    "time.sleep": "use await asyncio.sleep",
    "subprocess.run": _PROCESS,
    "subprocess.call": _PROCESS,
    "subprocess.check_call": _PROCESS,
    "subprocess.check_output": _PROCESS,
    "subprocess.Popen": _PROCESS,
    "os.system": _PROCESS,
    "os.popen": _PROCESS,
    "urllib.request.urlopen": _THREAD,
    "urllib.request.urlretrieve": _THREAD,
    "http.client.HTTPConnection": _THREAD,
    "http.client.HTTPSConnection": _THREAD,
    "socket.create_connection": "use asyncio.open_connection",
    "socket.getaddrinfo": "use loop.getaddrinfo",
    "socket.gethostbyname": "use loop.getaddrinfo",
    "input": "a gateway has no keyboard",
}


def blocking_calls(module: Module, function: Function) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the full name and the remedy of each call that blocks."""
    nodes = sorted(
        (node for node in own_nodes(function) if hasattr(node, "lineno")),
        key=lambda node: getattr(node, "lineno", 0),
    )
    local: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.stmt):
            local.update(imports(node, module.name))
    for node in nodes:
        if isinstance(node, ast.Call) and (dotted := dotted_name(node.func)):
            name = _full(module, local, dotted)
            remedy = _THREAD if name.startswith("requests.") else _BLOCKING.get(name)
            if remedy is not None:
                yield node.lineno, name, remedy


def _full(module: Module, local: Mapping[str, str], dotted: str) -> str:
    head, dot, tail = dotted.partition(".")
    known = local.get(head, module.names.get(head))
    return f"{known}{dot}{tail}" if isinstance(known, str) else dotted
