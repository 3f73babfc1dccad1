import asyncio

import pytest
from plugbay_maintenance import Config, Maintenance

from plugbay.sdk.testing import run_plugin


@pytest.mark.parametrize(
    ("path", "status"),
    [("/shop", 503), ("/shop/cart?x=1", 503), ("/shopping", 200), ("/", 200), ("/blog/", 503)],
)
def test_closed_paths_answer_503(path: str, status: int) -> None:
    async def main() -> None:
        config = Config(paths=("/shop", "/blog/"), retry_after=120)
        async with run_plugin(Maintenance, config) as plugin:
            answer = await plugin.request("GET", path)
            assert answer.status == status
            assert answer.headers.get("retry-after") == ("120" if status == 503 else None)

    asyncio.run(main())


def test_everything_is_closed_by_default_but_for_some_clients() -> None:
    async def main() -> None:
        async with run_plugin(Maintenance, Config(allow=("192.0.2.7",))) as plugin:
            assert (await plugin.request("GET", "/any")).status == 503
            assert (await plugin.request("GET", "/any", client="192.0.2.7")).status == 200

    asyncio.run(main())


def test_a_path_starts_with_a_slash() -> None:
    with pytest.raises(ValueError, match="start with"):
        Config(paths=("shop",))
