"""What is constant: texts, pictures, sounds and resources."""

from __future__ import annotations

import base64
from typing import Any

from mcp.types import (
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5E"
    "rkJggg=="
)
SILENCE = base64.b64encode(
    b"RIFF&\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0@\x1f\0\0\x80>\0\0\x02\0\x10\0data\x02\0\0\0\0\0"
).decode()


def text(content: str) -> TextContent:
    return TextContent(type="text", text=content)


def embedded(uri: str, content: str, mime: str = "text/plain") -> EmbeddedResource:
    held = TextResourceContents(uri=uri, mime_type=mime, text=content)
    return EmbeddedResource(type="resource", resource=held)


IMAGE = ImageContent(type="image", data=PIXEL, mime_type="image/png")
AUDIO = AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")
MIXED = embedded("test://mixed-content-resource", '{"test": "data"}', "application/json")
CONSTANT: dict[str, list[Any]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [IMAGE],
    "test_audio_content": [AUDIO],
    "test_embedded_resource": [embedded("test://embedded-resource", "An embedded resource.")],
    "test_multiple_content_types": [text("Multiple content types test:"), IMAGE, MIXED],
}
RESOURCES: dict[str, str | bytes] = {
    "test://static-text": "This is the content of the static text resource.",
    "test://static-binary": base64.b64decode(PIXEL),
    "test://watched-resource": "It can be subscribed to.",
}


def constant(value: Any) -> Any:
    def give() -> Any:
        return value

    give.__annotations__["return"] = list if isinstance(value, list) else type(value)
    return give
