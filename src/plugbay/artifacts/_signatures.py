"""What the sdk's hooks look like, read from the sdk itself, and whether a method fits."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plugbay import sdk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CAPABILITIES: Mapping[str, str] = {
    "RequestFilter": "request-filter",
    "ResponseFilter": "response-filter",
    "BodyFilter": "body-filter",
    "Observer": "observer",
    "AsgiApp": "asgi-app",
    "EventHandler": "event-handler",
    "McpFilter": "mcp-filter",
    "AdminOperations": "admin-operations",
    "Stateful": "stateful",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef
Style = Literal["any", "async", "plain", "chunks"]


@dataclass(frozen=True, slots=True)
class HookShape:
    """A hook: the base class that has it, its parameters behind `self`, how it is written."""

    base: str
    parameters: tuple[str, ...]
    style: Style


def hook_shapes() -> dict[str, HookShape]:
    """Return every hook of the sdk by its name."""
    shapes = {"app": HookShape("AsgiApp", ("scope", "receive", "send"), "any")}
    for base in ("Plugin", *CAPABILITIES):
        for name, value in _members(base).items():
            if inspect.isfunction(value) and not name.startswith("_"):
                parameters = tuple(inspect.signature(value).parameters)[1:]
                shapes[name] = HookShape(base, parameters, _style(base))
    return shapes


def misfits(function: Function, shape: HookShape) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with a method, what is expected and what was found."""
    if function.decorator_list:
        return  # what a decorator makes of it is for the trial to see
    coroutine = isinstance(function, ast.AsyncFunctionDef)
    expected = f"def {function.name}({', '.join(('self', *shape.parameters))})"
    found = f"{'async ' * coroutine}def {function.name}({ast.unparse(function.args)})"
    if not _takes(function.args, len(shape.parameters) + 1):
        yield "has the wrong parameters", expected, found
    elif _swapped(function.args, shape.parameters):
        yield "takes its parameters in another order", expected, found
    generator = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in own_nodes(function))
    if generator:
        found += " with yield"
    if shape.style == "async" and (generator or not coroutine):
        yield "must be a coroutine", f"async {expected}", found
    elif shape.style == "plain" and (generator or coroutine):
        yield "must be a plain function", expected, found
    elif shape.style == "chunks" and generator is not coroutine:
        how = "an async generator, or a plain function that returns one"
        yield "must return an async iterator", how, found
    elif shape.style == "any" and generator:
        yield "must not yield", expected, found


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield every node of a function, but those of functions and classes inside it."""
    pending: list[ast.AST] = list(function.body)
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, inner):
            pending.extend(ast.iter_child_nodes(node))


def _members(base: str) -> dict[str, object]:
    class_: type[object] = getattr(sdk, base)
    return dict(vars(class_))


def _takes(arguments: ast.arguments, count: int) -> bool:
    """Whether it can be called with `count` positional arguments, `self` among them."""
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    named = any(default is None for default in arguments.kw_defaults)
    return not named and required <= count and (count <= positional or arguments.vararg is not None)


def _swapped(arguments: ast.arguments, parameters: tuple[str, ...]) -> bool:
    """Whether the names are the sdk's and their order is not: surely a mistake."""
    names = tuple(argument.arg for argument in (*arguments.posonlyargs, *arguments.args))[1:]
    return names != parameters and sorted(names) == sorted(parameters)


def _style(base: str) -> Style:
    styles: dict[str, Style] = {"Plugin": "async", "Stateful": "plain", "BodyFilter": "chunks"}
    return styles.get(base, "any")
