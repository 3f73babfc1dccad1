import asyncio

from plugbay_access_log import AccessLog, Config

from plugbay.sdk import Request, Response, Timing
from plugbay.sdk.testing import run_plugin


def timing(total: float) -> Timing:
    return Timing(total, 0.0, 0.0, 0, 5, "passed")


def test_a_finished_request_is_one_line_without_its_query() -> None:
    async def main() -> None:
        async with run_plugin(AccessLog, Config(user_agent=True)) as plugin:
            await plugin.request("GET", "/a?token=secret", headers={"user-agent": "test"})
            (record,) = plugin.host.records
            assert record.getMessage() == "GET /a"
            assert vars(record)["status"] == 200
            assert vars(record)["user_agent"] == "test"
            assert "secret" not in repr(vars(record))

    asyncio.run(main())


def test_only_slow_and_failed_ones_if_so_asked() -> None:
    async def main() -> None:
        async with run_plugin(AccessLog, Config(slower_than=1.0)) as plugin:
            observe = plugin.plugin.on_complete
            observe(Request("GET", "/quick"), Response(200), timing(0.5))
            observe(Request("GET", "/slow"), Response(200), timing(1.5))
            observe(Request("GET", "/failed"), Response(502), timing(0.5))
            observe(Request("GET", "/gone"), None, timing(0.5))
            assert plugin.host.messages == ["GET /slow", "GET /failed", "GET /gone"]

    asyncio.run(main())
