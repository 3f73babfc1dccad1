"""Tools of MCP servers as the plugin `pins` knows them: by route, and whether they are approved."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.kernel import PlugbayError

if TYPE_CHECKING:
    from collections.abc import Collection

    from plugbay.admin.pages._rendering import Pages

PINS = "pins"
"""The bundled plugin's id; its operations `list` and `approve` are what is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedTool:
    """A tool that the plugin has seen on a route; `state` is approved, changed, new or gone."""

    server: str
    """The route's name: so the plugin calls a server."""
    tool: str
    state: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinList:
    """All tools of some routes, or why they are not known."""

    tools: tuple[PinnedTool, ...] = ()
    problem: str = ""


async def pinned(pages: "Pages", routes: "Collection[str]") -> PinList | None:
    """Ask the plugin; None if it does not run."""
    services = pages.context.services
    if PINS not in services.control.desired.enabled() or not routes:
        return None
    try:
        answers = await services.operations.ask(PINS, "list", {}, changes=False)
        # Every worker says the same, for the pins are kept in one place.
        said: dict[str, Any] = next(iter(answers.workers.values()))
        tools = msgspec.convert(said.get("pins", ()), tuple[PinnedTool, ...])
    except PlugbayError as error:
        return PinList(problem=error.detail)
    except msgspec.ValidationError:
        return PinList(problem=f"the plugin {PINS} does not say it in a way that is known here")
    return PinList(tools=tuple(one for one in tools if one.server in routes))
