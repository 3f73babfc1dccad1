"""The import system of one generation: its own names lead to its own modules.

Every module of a generation gets a private `__builtins__` whose `__import__` knows the wheel's
top-level names, and finds them below the generation's alias. So `import plugbay_hello.util`
inside the plugin, even in a function at request time, means the plugin's own generation, while
another generation of the same package lives beside it. `sys.path` is never touched, and no
byte code is written.
"""

from __future__ import annotations

import builtins
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import TYPE_CHECKING, Any

from plugbay.runtimes._alias import belongs
from plugbay.runtimes._views import Views

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import CodeType


class Imports:
    """Imports the modules of one unpacked wheel below `alias`; a finder of `sys.meta_path`."""

    def __init__(self, alias: str, payload: Path, names: frozenset[str]) -> None:
        self.alias, self.payload, self.names = alias, payload, names
        self.views = Views(alias, self.qualified)
        self.builtins: dict[str, Any] = {**vars(builtins), "__import__": self.import_}
        self._open = False

    def install(self) -> None:
        """Make the modules importable."""
        root = ModuleType(self.alias)
        root.__path__ = []
        root.__spec__ = ModuleSpec(self.alias, None, is_package=True)
        sys.modules[self.alias] = root
        sys.meta_path.insert(0, self)
        self._open = True

    def remove(self) -> dict[str, ModuleType]:
        """Take the modules out of `sys.modules` and return them by name."""
        self._open = False
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        names = [name for name in tuple(sys.modules) if belongs(name, self.alias)]
        return {name: sys.modules.pop(name) for name in names}

    def qualified(self, name: str) -> str:
        """Return the full name of a module: one of the wheel's own is below the alias."""
        own = name.partition(".")[0] in self.names
        return f"{self.alias}.{name}" if own else name

    def import_(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Do what `builtins.__import__` does, for the code of this generation."""
        full = name if level else self.qualified(name)
        if full == name:
            found = builtins.__import__(name, globals, locals, fromlist or (), level)
            return self.views.of(found)
        if not self._open:
            raise ImportError(f"{name} cannot be imported: this generation was stopped", name=name)
        leaf = builtins.__import__(full, globals, locals, fromlist or ("__name__",), 0)
        return leaf if fromlist else sys.modules[self.qualified(name.partition(".")[0])]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module below the alias is (`importlib.abc.MetaPathFinder`)."""
        if not fullname.startswith(f"{self.alias}."):
            return None
        parts = fullname[len(self.alias) + 1 :].split(".")
        if parts[0] not in self.names or not all(part.isidentifier() for part in parts):
            return None
        folder = self.payload.joinpath(*parts)
        module = folder.with_name(f"{parts[-1]}.py")
        if module.is_file() and not (folder / "__init__.py").is_file():
            return self._spec(fullname, module, None)
        if folder.is_dir():
            return self._spec(fullname, folder / "__init__.py", [str(folder)])
        return None

    def _spec(self, name: str, file: Path, places: list[str] | None) -> ModuleSpec | None:
        loader = _Loader(name, str(file), self.builtins)
        return spec_from_file_location(name, file, loader=loader, submodule_search_locations=places)


class _Loader(SourceFileLoader):
    """Compiles a module's source, without a cache, and runs it with the private builtins."""

    def __init__(self, name: str, path: str, private: dict[str, Any]) -> None:
        super().__init__(name, path)
        self._private = private

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file; a directory without `__init__.py` is a package without code."""
        path = self.get_filename(fullname)
        try:
            source = self.get_data(path)
        except FileNotFoundError:
            source = b""
        return compile(source, path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code in its namespace."""
        vars(module)["__builtins__"] = self._private
        super().exec_module(module)
