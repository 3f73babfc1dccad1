"""The plugin that the guide shows, as it stands there."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING

from bench._go import ROOT

from plugbay.km import State

from .conftest import until

if TYPE_CHECKING:
    from .conftest import Home

PAGE = ROOT / "docs" / "howto" / "watch-mcp-messages-with-km-plugins.md"


def test_the_plugin_in_python_is_told_of_messages(home: Home) -> None:
    (code,) = re.findall(
        r"^```python\n#!.*?\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    program = home.plugins / "km-plugin-watcher"
    program.write_text(f"#!{sys.executable}\n{code}")
    program.chmod(0o755)

    async def scenario() -> None:
        system = home.system()
        await system.load()
        try:
            (status,) = system.statuses
            assert (status.state, status.version, status.reason) == (State.ACTIVE, "0.1.0", "")
            system.message(b"{}" * 100, "request", "c-1")
            await until(lambda: status.told == 1)
            await until(lambda: any("told 217 bytes" in line for line in home.lines))
        finally:
            await system.close()

    asyncio.run(scenario())
