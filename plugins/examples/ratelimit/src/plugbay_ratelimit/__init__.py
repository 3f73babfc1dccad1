from dataclasses import dataclass

from plugbay.sdk import Plugin, Request, RequestFilter, Response


@dataclass(frozen=True, slots=True)
class Config:
    limit: int = 60
    window: float = 60.0


class RateLimit(Plugin[Config], RequestFilter):
    """Refuse a client that asks more than `limit` times in a window of so many seconds."""

    window, hits = -1.0, dict[str, int]()

    def on_request(self, request: Request) -> Response | None:
        window, passed = divmod(self.host.now(), self.config.window)
        if window != self.window:
            self.window, self.hits = window, {}  # what an old window counted is forgotten
        self.hits[request.client] = count = self.hits.get(request.client, 0) + 1
        if count > self.config.limit:
            return Response.problem(429, "Slow down", retry_after=self.config.window - passed)
        return None
