"""The author's test kit: a host that is not a gateway, and a plugin's whole life in one `with`.

    async with run_plugin(MyPlugin, Config(limit=2)) as plugin:
        response = await plugin.request("GET", "/")
        plugin.host.clock.advance(60)

Standard library only. With pytest the fixtures `plugin_host` and `run_plugin` are there too; for
them this package is imported at every start of pytest, so it imports its parts when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.sdk.testing._answer import Answer as Answer
    from plugbay.sdk.testing._clock import ManualClock as ManualClock
    from plugbay.sdk.testing._events import FakeEvents as FakeEvents
    from plugbay.sdk.testing._host import FakeHost as FakeHost
    from plugbay.sdk.testing._kv import FakeKeyValue as FakeKeyValue
    from plugbay.sdk.testing._mcp import McpTalk as McpTalk
    from plugbay.sdk.testing._metrics import FakeMetrics as FakeMetrics
    from plugbay.sdk.testing._run import Running as Running
    from plugbay.sdk.testing._run import run_plugin as run_plugin
    from plugbay.sdk.testing._secrets import FakeSecrets as FakeSecrets

_PARTS = {
    "Answer": "_answer",
    "ManualClock": "_clock",
    "FakeEvents": "_events",
    "FakeHost": "_host",
    "FakeKeyValue": "_kv",
    "FakeMetrics": "_metrics",
    "McpTalk": "_mcp",
    "Running": "_run",
    "run_plugin": "_run",
    "FakeSecrets": "_secrets",
}


def __getattr__(name: str) -> object:
    if name not in _PARTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PARTS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_PARTS)
