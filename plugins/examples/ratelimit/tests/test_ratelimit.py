import asyncio

from plugbay_ratelimit import Config, RateLimit

from plugbay.sdk.testing import run_plugin


def test_it_refuses_above_the_limit_until_the_window_ends() -> None:
    async def main() -> None:
        async with run_plugin(RateLimit, Config(limit=2, window=10)) as plugin:
            statuses = [(await plugin.request("GET")).status for _ in range(3)]
            assert statuses == [200, 200, 429]
            plugin.host.clock.advance(4)
            refused = await plugin.request("GET")
            assert (refused.status, refused.headers["retry-after"]) == (429, "6")
            plugin.host.clock.advance(6)
            assert (await plugin.request("GET")).status == 200

    asyncio.run(main())


def test_clients_are_told_apart_and_forgotten() -> None:
    async def main() -> None:
        async with run_plugin(RateLimit, Config(limit=1, window=10)) as plugin:
            for number in range(1000):
                answer = await plugin.request("GET", client=f"192.0.2.{number}")
                assert answer.status == 200
            plugin.host.clock.advance(10)
            await plugin.request("GET", client="a")
            assert plugin.plugin.hits == {"a": 1}

    asyncio.run(main())


def test_generations_share_nothing() -> None:
    async def main() -> None:
        async with run_plugin(RateLimit) as old, run_plugin(RateLimit) as new:
            await old.request("GET")
            assert new.plugin.hits == {}

    asyncio.run(main())
