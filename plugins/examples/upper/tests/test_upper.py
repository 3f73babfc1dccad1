import asyncio

import pytest
from plugbay_upper import Upper

from plugbay.sdk import Response
from plugbay.sdk.testing import run_plugin


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"content-type": "text/plain; charset=utf-8"}, "GRüß"),
        ({"content-type": "application/json"}, "grüß"),
        ({}, "grüß"),
        ({"content-type": "text/plain", "content-encoding": "br"}, "grüß"),
    ],
)
def test_text_that_is_not_encoded_is_changed(headers: dict[str, str], expected: str) -> None:
    async def main() -> None:
        async with run_plugin(Upper) as plugin:
            upstream = Response(200, headers, "grüß".encode())
            answer = await plugin.request("GET", upstream=upstream)
            assert answer.body == expected.encode()

    asyncio.run(main())
