import asyncio

import pytest
from plugbay_hello import Config, Hello

from plugbay.sdk.testing import run_plugin


def test_it_greets_both_ways() -> None:
    async def main() -> None:
        async with run_plugin(Hello, Config(greeting="hi")) as plugin:
            answer = await plugin.request("GET", "/", headers={"x-hello": "forged"})
            assert answer.request.headers.get_all("x-hello") == ["hi"]
            assert answer.headers.get_all("x-hello") == ["hi"]

    asyncio.run(main())


@pytest.mark.parametrize("greeting", ["a\r\nb: c", "grüß", "\0"])
def test_a_greeting_must_fit_in_a_header(greeting: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        Config(greeting=greeting)
