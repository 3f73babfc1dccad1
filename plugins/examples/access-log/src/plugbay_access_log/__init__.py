"""Logs every finished request, off its path."""

from dataclasses import dataclass

from plugbay.sdk import Observer, Plugin, Request, Response, Timing


@dataclass(frozen=True, slots=True)
class Config:
    """Requests that took less than `slower_than` seconds and did not fail are left out."""

    slower_than: float = 0.0
    user_agent: bool = False


class AccessLog(Plugin[Config], Observer):
    """One line a request, without its query: that may hold secrets."""

    def on_complete(self, request: Request, response: Response | None, timing: Timing) -> None:
        status = response.status if response else 0
        if timing.total < self.config.slower_than and 0 < status < 500:
            return
        fields = {
            "request_id": request.id,
            "client": request.client,
            "route": request.route,
            "status": status,
            "milliseconds": round(timing.total * 1e3, 3),
            "response_bytes": timing.response_bytes,
            "outcome": timing.outcome,
        }
        if self.config.user_agent:
            fields["user_agent"] = request.headers.get("user-agent", "")
        self.host.log.info("%s %s", request.method, request.path, extra=fields)
