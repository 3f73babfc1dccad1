"""What a plugin sees instead of a few modules of the standard library.

These take names of modules as text, or keep a reference for as long as the process lives. The
view of a generation does the same within the generation; all else is the real module's.
"""

from __future__ import annotations

import importlib
import io
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

_RESOURCES = ("contents", "files", "is_resource", "open_binary", "open_text", "path")
_READERS = ("read_binary", "read_text")


class View(ModuleType):
    """A module with some names replaced. What is set on it is set on it only."""

    def __init__(self, real: ModuleType, changed: dict[str, Any], views: Views) -> None:
        super().__init__(real.__name__, real.__doc__)
        vars(self).update(changed)
        self.__real = real
        self.__views = views

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__real, name)
        return self.__views.of(value) if isinstance(value, ModuleType) else value

    def __dir__(self) -> list[str]:
        return dir(self.__real)


class Views:
    """The views of one generation, made when they are asked for."""

    def __init__(self, alias: str, qualified: Callable[[str], str]) -> None:
        self._alias, self._qualified = alias, qualified
        self._made: dict[str, ModuleType] = {}
        self._at_exit: list[Callable[[], object]] = []
        self._makers: dict[str, Callable[[ModuleType], dict[str, Any]]] = {
            "atexit": self._atexit,
            "importlib": self._importlib,
            "importlib.resources": self._resources,
            "pickle": self._pickle,
            "pkgutil": self._pkgutil,
        }

    def of(self, module: ModuleType) -> ModuleType:
        """Return the view of a module, or the module itself."""
        maker = self._makers.get(getattr(module, "__name__", ""))
        if maker is None or isinstance(module, View):
            return module
        view = self._made.get(module.__name__)
        if view is None:
            view = self._made[module.__name__] = View(module, maker(module), self)
        return view

    def run_exit_functions(self) -> list[BaseException]:
        """Run what the plugin has registered with `atexit`, the last first; return failures."""
        failures: list[BaseException] = []
        while self._at_exit:
            try:
                self._at_exit.pop()()
            except BaseException as error:  # noqa: BLE001 -- the plugin border: it is returned
                failures.append(error.with_traceback(None))
        return failures

    def _atexit(self, _: ModuleType) -> dict[str, Any]:
        def register(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
            self._at_exit.append(_Exit(func, args, kwargs))
            return func

        def unregister(func: Callable[..., Any], /) -> None:
            self._at_exit[:] = [e for e in self._at_exit if getattr(e, "func", None) != func]

        return {"register": register, "unregister": unregister, "_clear": self._at_exit.clear}

    def _importlib(self, _: ModuleType) -> dict[str, Any]:
        def import_module(name: str, package: str | None = None) -> ModuleType:
            if not name.startswith("."):
                return self.of(importlib.import_module(self._qualified(name)))
            return importlib.import_module(name, package and self._qualified(package))

        return {"import_module": import_module}

    def _resources(self, real: ModuleType) -> dict[str, Any]:
        return {
            n: self._named(getattr(real, n)) for n in (*_RESOURCES, *_READERS) if n in vars(real)
        }

    def _pkgutil(self, real: ModuleType) -> dict[str, Any]:
        return {n: self._named(getattr(real, n)) for n in ("get_data", "resolve_name")}

    def _named(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` with the module's name, its first argument, as the plugin means it."""

        def named(*args: Any, **kwargs: Any) -> Any:
            if args and isinstance(args[0], str):
                args = (self._qualified(args[0]), *args[1:])
            return function(*args, **kwargs)

        return named

    def _pickle(self, _: ModuleType) -> dict[str, Any]:
        """Let a pickle of another generation, also of another process, find this one's classes."""
        import pickle  # most plugins do without

        alias = self._alias
        theirs = re.compile(re.sub(r"_\d+(r\d+)?$", "", alias) + r"_\d+(r\d+)?(?=\.|$)")

        class Unpickler(pickle.Unpickler):
            """Looks up the plugin's classes in its own generation."""

            def find_class(self, module: str, name: str, /) -> Any:
                return super().find_class(theirs.sub(alias, module, count=1), name)

        def load(file: BinaryIO, **options: Any) -> Any:
            return Unpickler(file, **options).load()

        def loads(data: bytes, /, **options: Any) -> Any:
            return Unpickler(io.BytesIO(data), **options).load()

        return {"Unpickler": Unpickler, "load": load, "loads": loads}


class _Exit:
    """A function to call at the end, with its arguments."""

    def __init__(self, func: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.func, self._args, self._kwargs = func, args, kwargs

    def __call__(self) -> object:
        return self.func(*self._args, **self._kwargs)
