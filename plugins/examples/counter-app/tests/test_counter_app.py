import asyncio
import json

from plugbay_counter_app import Config, CounterApp

from plugbay.sdk.testing import run_plugin


def test_the_count_outlives_a_swap() -> None:
    async def main() -> None:
        async with run_plugin(CounterApp) as old:
            for expected in (1, 2):
                answer = await old.request("GET", "/")
                assert json.loads(answer.body)["count"] == expected
            state = old.snapshot()
        async with run_plugin(CounterApp, Config(step=10), state=state) as new:
            answer = await new.request("GET", "/")
            assert json.loads(answer.body) == {"count": 12, "version": "0.0.0"}
            assert answer.headers["content-length"] == str(len(answer.body))

    asyncio.run(main())


def test_other_scopes_are_left_alone() -> None:
    async def main() -> None:
        async with run_plugin(CounterApp) as plugin:

            async def nothing(*_: object) -> dict[str, object]:
                raise AssertionError("not called")

            await plugin.plugin.app({"type": "lifespan"}, nothing, nothing)
            assert plugin.plugin.count == 0

    asyncio.run(main())
