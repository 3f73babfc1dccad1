"""The settings file changes while traffic flows: a good one is applied, a bad one is not."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for
from bench._live import Traffic, get, page

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

ROUTE = """
[[routes]]
name = "{name}"
path = "/{name}"
upstream = "sample"
strip_prefix = true
priority = 10
"""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway(workers=2) as gateway:
        yield gateway


def replace(gateway: Gateway, text: str) -> None:
    """Put another file in the place of the settings, as editors do."""
    other = gateway.folder / "other.toml"
    other.write_text(text)
    os.replace(other, gateway.config)


def health(gateway: Gateway) -> tuple[int, dict[str, Any]]:
    status, text = page(str(gateway.facts["metrics"]), "/health")
    return status, json.loads(text)


def test_a_good_change_is_applied_under_traffic(gateway: Gateway) -> None:
    before = gateway.config.read_text()
    assert get(gateway.address, "/extra/json").status == 404
    with Traffic(gateway.address) as traffic:
        replace(gateway, before + ROUTE.format(name="extra"))
        wait_for("the new route", lambda: get(gateway.address, "/extra/json").status == 200)
        traffic.more(8)
        replace(gateway, before)
        wait_for("the route is gone", lambda: get(gateway.address, "/extra/json").status == 404)
        traffic.more(8)
    assert traffic.seen.failures == []


@pytest.mark.parametrize(
    ("addition", "says"),
    [
        ("nonsense = = 1\n", "not valid TOML"),
        ("[surprise]\nkey = 1\n", "surprise"),
        (ROUTE.format(name="lost").replace('"sample"', '"nowhere"'), "nowhere"),
        ('[[plugins]]\nid = "absent"\nversion = "1.0.0"\n', "absent"),
    ],
    ids=["not TOML", "unknown key", "unknown upstream", "unknown artifact"],
)
def test_a_bad_file_keeps_the_running_configuration(
    gateway: Gateway, addition: str, says: str
) -> None:
    before = gateway.config.read_text()
    assert health(gateway)[1]["status"] == "pass"
    with Traffic(gateway.address) as traffic:
        replace(gateway, before + ROUTE.format(name="late") + addition)
        wait_for("health says so", lambda: health(gateway)[1]["status"] == "fail")
        traffic.more(8)
        check = health(gateway)[1]["checks"]["settings"][0]
        assert says in check["output"]
        assert get(gateway.address, "/late/json").status == 404
        replace(gateway, before)
        wait_for("health is well again", lambda: health(gateway)[1]["status"] == "pass")
    assert traffic.seen.failures == []
    refusals = [line for line in gateway.log.read_text().splitlines() if "was not taken" in line]
    assert any(says in line for line in refusals)
    # Traffic goes on, so it is as ready as ever.
    assert page(str(gateway.facts["metrics"]), "/ready")[0] == 200
