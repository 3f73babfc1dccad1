"""Methods of MCP, by what their messages do."""

from __future__ import annotations

from typing import Final

TARGETS: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Their requests are about one tool, prompt or resource; and the parameter that says which."""
HANDSHAKES: Final = frozenset(("initialize", "server/discover"))
LISTINGS: Final = frozenset(
    ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
)
DEFINING: Final = HANDSHAKES | LISTINGS
"""Their results say what there is."""
MAY_ASK: Final = {"tools/call": "content", "prompts/get": "messages", "resources/read": "contents"}
"""Their responses may ask for something (2026-07-28, multi round-trip requests); and the member
that a result has which does not."""
REQUESTS: Final = (
    DEFINING
    | MAY_ASK.keys()
    | {
        "completion/complete",
        "elicitation/create",
        "logging/setLevel",
        "ping",
        "resources/subscribe",
        "resources/unsubscribe",
        "roots/list",
        "sampling/createMessage",
        "subscriptions/listen",
        "tasks/cancel",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tasks/update",
    }
)
"""They want an answer. There are servers that do what one without an id says, too."""
