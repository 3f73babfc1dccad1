"""Carries out verdicts: counted, told to the others, and enforced only if the operator says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from plugbay.sdk._drip import Drip
from plugbay.sdk._response import Response
from plugbay.sdk.protection._timed import Timed
from plugbay.sdk.protection._verdict import LIFT, VERDICT

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.sdk._host import Host
    from plugbay.sdk.protection._verdict import Verdict

Mode = Literal["monitor", "enforce"]

QUIET: Final = 1.0
"""Seconds in which one identity is told of once for each topic and reason: floods stay small."""
_TITLES: Final = {403: "Forbidden", 429: "Too Many Requests", 401: "Unauthorized"}


class Guard:
    """One plugin's hand. In `monitor` mode it counts and tells, and lets everything pass."""

    __slots__ = ("_count", "_host", "_told", "drip", "mode")

    def __init__(self, host: Host, mode: Mode) -> None:
        self._host, self.mode = host, mode
        self._told: Timed[bool] = Timed(16_384)
        self.drip: Callable[[], Drip] = Drip
        """Makes the body of a response by which a client is held."""
        self._count = host.metrics.counter(
            "verdicts_total", "Verdicts, by what was decided.", ("action", "reason", "mode")
        )

    @property
    def enforces(self) -> bool:
        """Whether verdicts are carried out."""
        return self.mode == "enforce"

    def judge(self, verdict: Verdict, *, topic: str, client: str = "") -> Response | None:
        """Count a verdict, tell it as a fact by `topic`, and return the answer, if any.

        A `ban` is also sent to who keeps bans. In monitor mode, and for `allow`, there is no
        answer.
        """
        self._count.inc(action=verdict.action, reason=verdict.reason, mode=self.mode)
        if self._is_news(topic, verdict):
            self.tell(topic, verdict, client=client)
        if self.enforces and verdict.action == "ban" and self._is_news(VERDICT, verdict):
            self._host.events.publish(VERDICT, **verdict.data())
        if not self.enforces or verdict.action == "allow":
            return None
        return self.answer(verdict)

    def tell(self, topic: str, verdict: Verdict, *, client: str = "") -> None:
        """Publish a verdict as a fact."""
        data: dict[str, Any] = verdict.data()
        self._host.events.publish(topic, **data, client=client, mode=self.mode)

    def answer(self, verdict: Verdict) -> Response:
        """Return the response that carries a verdict out. It does not tell what was found."""
        if verdict.action == "tarpit":
            return Response(200, {"content-type": "text/html; charset=utf-8"}, self.drip())
        title = _TITLES.get(verdict.status, "Forbidden")
        wait = verdict.retry_after
        if wait is None and verdict.status == 429:
            wait = verdict.seconds
        return Response.problem(verdict.status, title, retry_after=wait)

    def lift(self, identity: str) -> None:
        """Tell every plugin, in every worker, that `identity` is to be forgotten."""
        self.forget(identity)
        self._host.events.publish(LIFT, identity=identity)

    def forget(self, identity: str) -> None:
        """Tell of it at once when it is seen again."""
        for key, _, _ in self._told.items(0.0):
            if key.rpartition(" ")[2] == identity:
                self._told.pop(key)

    def _is_news(self, topic: str, verdict: Verdict) -> bool:
        key, now = f"{topic} {verdict.reason} {verdict.identity}", self._host.now()
        if self._told.get(key, now):
            return False
        self._told.put(key, True, now + QUIET, now)
        return True
