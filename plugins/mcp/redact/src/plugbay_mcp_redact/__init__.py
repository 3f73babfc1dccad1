"""Takes secrets and personal data out of what servers answer, and of what clients send."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugbay.sdk import McpFilter, Message, Plugin
from plugbay.sdk.redaction import KINDS, Redactor

from ._blobs import clean_blobs

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFINING = frozenset(
    (
        "initialize",
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
    )
)
"""Their results say what there is: a name or a cursor that was changed would be of no use."""
_STATE = "requestState"
"""Is the server's own, and comes back to it as it was (2026-07-28)."""


@dataclass(frozen=True, slots=True)
class Config:
    """What is looked for, and where."""

    kinds: tuple[str, ...] = tuple(KINDS)
    """Names of `plugbay.sdk.redaction.KINDS`."""
    names: bool = True
    """Take out the text of members that are called `password`, `token` and the like."""
    results: bool = True
    """Of what the server answers and tells: results, errors, progress and logs."""
    arguments: bool = False
    """Of what clients send: arguments, and answers to the server's questions. A tool that needs
    them fails then."""
    requests: bool = True
    """Of what the server asks the client, such as sampling."""


class Redact(Plugin[Config], McpFilter):
    """Changes messages and never blocks; when it fails nothing passes."""

    async def start(self) -> None:
        """Build the patterns. Raises `ValueError` for a kind that there is not."""
        self._redactor = Redactor(self.config.kinds, names=self.config.names)
        help = "What was taken out of MCP messages, by kind."
        self._found = self.host.metrics.counter("found_total", help, ("kind",))

    def on_message(self, message: Message) -> Message | None:
        """Clean what one side says to the other."""
        if message.direction == "to-server":
            return self._of_client(message) if self.config.arguments else None
        return self._of_server(message)

    def _of_client(self, message: Message) -> Message | None:
        if message.kind == "response":
            clean = self._clean(message.result, message)
            return None if clean is None else message.replace(result=clean)
        if message.kind == "error":
            return self._error(message)
        params = message.params
        said = {name: params[name] for name in ("arguments", "inputResponses") if name in params}
        clean = self._clean(said, message) if said else None
        return None if clean is None else message.replace(params={**params, **clean})

    def _of_server(self, message: Message) -> Message | None:
        config = self.config
        if message.kind in ("request", "notification"):
            if not (config.requests if message.kind == "request" else config.results):
                return None
            clean = self._clean(message.params, message)
            return None if clean is None else message.replace(params=clean)
        if message.method in _DEFINING and message.kind == "response":
            return None
        if message.kind == "error":
            return self._error(message) if config.results else None
        asks = message.result.get("resultType") == "input_required"
        if not (config.results or (asks and config.requests)):
            return None
        clean = self._clean(message.result, message)
        return None if clean is None else message.replace(result=clean)

    def _error(self, message: Message) -> Message | None:
        clean = self._clean(message.error, message)
        return None if clean is None else message.replace(error=clean)

    def _clean(self, value: Mapping[str, Any], message: Message) -> Mapping[str, Any] | None:
        found: Counter[str] = Counter()
        looked = {name: one for name, one in value.items() if name != _STATE}
        clean, here = self._redactor.value(looked)
        found += here
        clean, here = clean_blobs(clean, self._redactor.text)
        found += here
        if not found:
            return None
        self._tell(found, message)
        return {**value, **clean} if _STATE in value else clean

    def _tell(self, found: Counter[str], message: Message) -> None:
        for kind, number in found.items():
            self._found.inc(number, kind=kind)
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(found.items()))
        self.host.log.info("%s %s: took out %s", message.method, message.target, kinds)
