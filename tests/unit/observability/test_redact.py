"""Secrets stay out of the logs."""

from __future__ import annotations

import pytest

from plugbay.observability import redact, redact_text

SECRET = "-".join(("s3cr3t", "VALUE.42"))


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization=Custom {SECRET} more",
        f"sent Bearer {SECRET} to it",
        f"Cookie: a=1; session={SECRET}",
        f"set-cookie: sid={SECRET}; Path=/",
        f"login with password={SECRET} failed",
        f'{{"password": "{SECRET}", "user": "x"}}',
        f"{{'api_key': '{SECRET}'}}",
        f"X-Api-Key: {SECRET}",
        f"GET /?access_token={SECRET}&x=1",
        f"client_secret={SECRET}",
        f"postgres://user:{SECRET}@db/x",
    ],
)
def test_secrets_are_told_by_their_shape(text: str) -> None:
    assert SECRET not in redact_text(text)
    assert "[redacted]" in redact_text(text)


@pytest.mark.parametrize(
    "text", ["", "plain words", "GET /a?x=1&y=2", "http://host:80/path", "tokens are counted: 3"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redact_text(text) == text


def test_fields_are_told_by_their_name_at_any_depth() -> None:
    value = {
        "user": "x",
        "Authorization": SECRET,
        "nested": [{"refresh_token": SECRET, "n": 1}],
        "headers": [("cookie", SECRET), (b"x-api-key", SECRET.encode()), (b"host", b"h")],
        "text": f"password={SECRET}",
        "bytes": f"password={SECRET}".encode(),
    }
    redacted = redact(value)
    assert SECRET not in repr(redacted)
    assert redacted["user"] == "x"
    assert redacted["nested"][0] == {"refresh_token": "[redacted]", "n": 1}
    assert redacted["headers"] == [
        ["cookie", "[redacted]"],
        ["x-api-key", "[redacted]"],
        ["host", "h"],
    ]


def test_depth_is_bounded() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert "…" in repr(redact(loop))
