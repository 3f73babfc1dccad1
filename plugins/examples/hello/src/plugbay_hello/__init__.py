"""Greets in a header, both ways."""

from dataclasses import dataclass

from plugbay.sdk import Plugin, Request, RequestFilter, Response, ResponseFilter


@dataclass(frozen=True, slots=True)
class Config:
    """`greeting` is the value of the header field `x-hello`."""

    greeting: str = "hello"

    def __post_init__(self) -> None:
        if not self.greeting.isascii() or not self.greeting.isprintable():
            raise ValueError("greeting must be printable ASCII, for it is sent in a header")


class Hello(Plugin[Config], RequestFilter, ResponseFilter):
    """Adds `x-hello` to the request and to its response."""

    def on_request(self, request: Request) -> None:
        request.headers.set("x-hello", self.config.greeting)

    def on_response(self, request: Request, response: Response) -> None:
        response.headers.set("x-hello", self.config.greeting)
