"""Where a wheel runs is part of what is wanted: another choice is another generation."""

from __future__ import annotations

from dataclasses import replace

from plugbay.control import PluginSpec
from plugbay.control._draft import _fresh  # pyright: ignore[reportPrivateUsage]  # the one rule of it
from plugbay.sdk import Manifest

SPEC = PluginSpec(id="hello", version="1.0", digest="d")
WHEEL = Manifest(id="hello", version="1.0", api=1, runtime="python", entry="hello:Hello")


def test_the_choice_comes_before_the_manifest() -> None:
    own = replace(WHEEL, runtime="process")
    assert SPEC.runtime_of(WHEEL) == "python"
    assert SPEC.runtime_of(own) == "process"
    assert replace(SPEC, runtime="process").runtime_of(WHEEL) == "process"
    assert replace(SPEC, runtime="in-process").runtime_of(own) == "python"


def test_another_choice_is_another_instance() -> None:
    moved = _fresh(SPEC, replace(SPEC, runtime="process"))
    assert moved.instance != SPEC.instance
    assert _fresh(moved, moved).instance == moved.instance
