"""Answers for parts of a site that are closed for a while."""

from dataclasses import dataclass

from plugbay.sdk import Plugin, Request, RequestFilter, Response


@dataclass(frozen=True, slots=True)
class Config:
    """`paths` are closed with all below them; `allow` are clients that may pass nevertheless."""

    paths: tuple[str, ...] = ("/",)
    retry_after: float = 300.0
    detail: str = "This part is closed for maintenance."
    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(not path.startswith("/") for path in self.paths):
            raise ValueError("paths must start with '/'")


class Maintenance(Plugin[Config], RequestFilter):
    """503 with `Retry-After` (RFC 9110, 15.6.4 and 10.2.3) below the closed paths."""

    async def start(self) -> None:
        self._exact = frozenset(self.config.paths)
        self._below = tuple(path.rstrip("/") + "/" for path in self.config.paths)

    def on_request(self, request: Request) -> Response | None:
        path = request.path
        closed = path in self._exact or path.startswith(self._below)
        if not closed or request.client in self.config.allow:
            return None
        config = self.config
        return Response.problem(
            503, "Closed for maintenance", detail=config.detail, retry_after=config.retry_after
        )
