"""What the sdk promises as a whole: documented, typed, and standard library only."""

import ast
import inspect
import subprocess
import sys
import typing
import weakref
from dataclasses import dataclass
from pathlib import Path

import pytest

import plugbay.sdk
import plugbay.sdk.testing

SDK = Path(plugbay.sdk.__file__).parent
FILES = sorted(SDK.rglob("*.py"))


def public():
    """Every public name of the two packages, and every public member of a class."""
    for module in (plugbay.sdk, plugbay.sdk.testing):
        for name in dir(module):
            value = getattr(module, name)
            home = getattr(value, "__module__", "")
            if name.startswith("_") or not home.startswith("plugbay.sdk"):
                continue
            yield f"{module.__name__}.{name}", value
            if inspect.isclass(value):
                for member, thing in vars(value).items():
                    if member.startswith("_") or not (
                        inspect.isfunction(thing) or isinstance(thing, property | classmethod)
                    ):
                        continue
                    yield f"{module.__name__}.{name}.{member}", thing


PUBLIC = dict(public())
OVERLOADED = {"plugbay.sdk.Headers.get"}


def test_the_packages_export_what_authors_import():
    names = {name.split(".")[-1] for name in PUBLIC}
    assert {"Plugin", "Request", "Response", "Host", "Stateful", "run_plugin", "FakeHost"} <= names
    assert plugbay.sdk.API == 1


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring(name):
    doc = PUBLIC[name].__doc__
    assert doc
    assert not doc.startswith(f"{name.split('.')[-1]}("), "that is what dataclass wrote"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SDK)))
def test_every_function_is_typed(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            spec = node.args
            arguments = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
            untyped = [
                argument.arg
                for argument in arguments
                if argument is not None
                and argument.annotation is None
                and argument.arg not in ("self", "cls")
            ]
            assert not untyped, f"{node.name}: {untyped}"
            assert node.returns is not None, node.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SDK)))
def test_only_the_standard_library_is_imported(path):
    allowed = set(sys.stdlib_module_names)
    if path.name == "pytest_plugin.py":
        allowed.add("pytest")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            roots = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            roots = [node.module or ""]
        else:
            continue
        for root in roots:
            assert root.split(".")[0] in allowed or root.startswith("plugbay.sdk"), root


def loaded_by(statement):
    """The modules that a fresh interpreter has loaded after `statement`."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(SDK.parents[1])!r}); {code}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_it_loads_nothing_foreign():
    everything = "import plugbay.sdk.testing._run, plugbay.sdk.testing._host"
    for name in loaded_by(f"import plugbay.sdk; {everything}"):
        assert name.startswith("plugbay") or name.split(".")[0] in sys.stdlib_module_names, name


def test_the_pytest_plugin_is_cheap_to_import():
    loaded = loaded_by("import pytest; import plugbay.sdk.testing.pytest_plugin")
    own = {name for name in loaded if name.startswith("plugbay.sdk.testing.")}
    assert own == {"plugbay.sdk.testing.pytest_plugin"}


def test_the_test_kit_has_only_what_it_lists():
    assert set(dir(plugbay.sdk.testing)) >= {"FakeHost", "run_plugin"}
    for name in dir(plugbay.sdk.testing):
        assert getattr(plugbay.sdk.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'ghost'"):
        getattr(plugbay.sdk.testing, "gho" + "st")


def test_a_plugin_s_type_is_not_kept_alive():
    def make():
        @dataclass
        class Config:
            limit: int = 1

        class Mine(plugbay.sdk.Plugin[Config]):
            """A plugin."""

        assert typing.get_args(Mine.__orig_bases__[0]) == (Config,)
        return weakref.ref(Mine), weakref.ref(Config)

    import gc

    references = make()
    gc.collect()
    assert [reference() for reference in references] == [None, None]
