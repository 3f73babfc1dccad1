"""Turns text into capitals as it streams, without ever holding more than a chunk."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from plugbay.sdk import BodyFilter, Plugin, Request, Response


@dataclass(frozen=True, slots=True)
class Config:
    """Bodies whose `Content-Type` starts with one of `types` are changed."""

    types: tuple[str, ...] = ("text/plain",)


class Upper(Plugin[Config], BodyFilter):
    """Changes ASCII letters only: they are one byte each, wherever a chunk is cut."""

    def response_body(
        self, request: Request, response: Response, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        text = response.headers.get("content-type", "").lower().startswith(self.config.types)
        encoded = response.headers.get("content-encoding", "identity") != "identity"
        return _upper(chunks) if text and not encoded else chunks


async def _upper(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield chunk.upper()
