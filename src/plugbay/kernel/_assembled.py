"""Functions whose source is put together at run time, told apart in reports and in tracebacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class _Source:
    """The loader of such a source: who shows a traceback asks it for the lines (linecache)."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_source(self, _module: str) -> str:
        return self._text


def assemble(
    module: str, plugins: Iterable[str], lines: Iterable[str], names: dict[str, Any]
) -> Callable[..., Any]:
    """Return the function that the lines define; `names` is what they can see.

    It is named after the plugins whose hooks it calls, as in `on_request(ratelimit, upper)`, and
    belongs to `module`. The same source has the same file name, however often it is made: so what
    tracebacks keep of it does not grow. The name is that of no file, and tools that look into
    files (coverage) see so by its `<`. The lines must be the caller's own text, nothing that a
    plugin or an operator has written.
    """
    text = "\n".join(lines)
    names |= {"__name__": module, "__loader__": _Source(text)}
    code = compile(text, f"<{module}>#{crc32(text.encode()):08x}", "exec")
    exec(code, names)  # noqa: S102 - see above: the caller's own text
    (name,) = code.co_names
    function: Callable[..., Any] = names.pop(name)
    called = f"{name}({', '.join(plugins)})"
    function.__code__ = function.__code__.replace(co_name=called, co_qualname=called)
    function.__qualname__ = called
    return function
