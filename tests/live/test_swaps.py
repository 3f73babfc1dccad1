"""Swaps of every kind of plugin: exclusive ones, apps with state, body filters; and back."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bench._bad_source import SOURCE
from bench._gateway import Gateway, wait_for
from bench._live import Traffic, get, metrics, plugin, sound, total
from tests.live._plugins import EXCLUSIVE, UPPER, push

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from bench._traffic import Answer

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

FILTER = 'provides = ["request-filter", "response-filter"]\n'
EXAMPLES = Path(__file__).parents[2] / "plugins" / "examples"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway(workers=1) as gateway:
        yield gateway


def done(gateway: Gateway, operation: Mapping[str, Any]) -> dict[str, Any]:
    """Wait for an operation's end; it must have succeeded and dropped nothing."""
    ended = dict(gateway.operation(operation["id"]))
    assert ended["state"] == "succeeded", ended["error"]
    assert ended["receipt"]["totals"]["dropped"] == 0
    assert ended["receipt"]["totals"]["cancelled"] == 0
    return ended


def test_an_exclusive_plugin_is_exchanged_without_a_failed_request(gateway: Gateway) -> None:
    for version in ("1.0.0", "2.0.0"):
        push(gateway, "sole", version, EXCLUSIVE, f'{FILTER}reload = "exclusive"\n')
    done(gateway, gateway.put("sole", version="1.0.0", watch=0.0))
    with Traffic(gateway.address, clients=8, pause=0.0) as traffic:
        for version in ("2.0.0", "1.0.0", "2.0.0"):
            done(gateway, gateway.put("sole", version=version))
            assert get(gateway.address).headers["x-stamp"] == version
            traffic.more(16)
    assert traffic.seen.failures == []
    done(gateway, gateway.change("POST", "/plugins/sole/disable"))


def count(answer: Answer) -> int:
    return int(json.loads(answer.body)["count"])


def test_an_app_goes_on_counting_when_it_is_exchanged(gateway: Gateway) -> None:
    gateway.push(EXAMPLES / "counter-app")
    done(gateway, gateway.put("counter-app", version="1.0.0", config={"step": 1}, watch=0.0))
    route = {"name": "counter", "path": "/counter", "plugin": "counter-app", "priority": 10}
    done(gateway, gateway.change("PUT", "/routes/counter", route))
    for expected in (1, 2, 3):
        assert count(get(gateway.address, "/counter")) == expected
    config = {"config": {"step": 100}}
    done(gateway, gateway.change("PUT", "/plugins/counter-app/config", config))
    assert count(get(gateway.address, "/counter")) == 103
    done(gateway, gateway.change("POST", "/plugins/counter-app/reload"))
    assert count(get(gateway.address, "/counter")) == 203
    done(gateway, gateway.change("POST", "/plugins/counter-app/disable"))
    assert get(gateway.address, "/counter").status == 503


def test_a_body_filter_changes_both_bodies_as_they_stream(gateway: Gateway) -> None:
    push(gateway, "shout", "1.0.0", UPPER, 'provides = ["body-filter"]\n')
    done(gateway, gateway.put("shout", version="1.0.0", watch=0.0))
    connection = http.client.HTTPConnection(gateway.address, timeout=100)
    connection.request("POST", "/anything", body=b"my secret words")
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200
    assert json.loads(body)["BODY"] == "MY ****** WORDS"
    answer = get(gateway.address, "/stream?chunks=5&delay=0.05")
    assert answer.body == b"".join(b'{"CHUNK": %d}\n' % number for number in range(5))
    connection.request("GET", "/stream?chunks=2&delay=60")
    # The first comes while the second is not there yet.
    assert connection.getresponse().readline() == b'{"CHUNK": 0}\n'
    connection.close()
    done(gateway, gateway.change("POST", "/plugins/shout/disable"))
    assert b'"chunk"' in get(gateway.address, "/stream?chunks=1&delay=0").body


def test_a_rollback_brings_artifact_and_config_back(gateway: Gateway) -> None:
    text = SOURCE.replace("{switch}", str(gateway.folder / "never"))
    for version in ("1.0.0", "2.0.0"):
        push(gateway, "back", version, text, FILTER)
    done(gateway, gateway.put("back", version="1.0.0", config={"note": "one"}, watch=0.0))
    done(gateway, gateway.put("back", version="2.0.0", config={"note": "two"}))
    headers = get(gateway.address).headers
    assert (headers["x-stamp"], headers["x-note"]) == ("2.0.0", "two")
    with Traffic(gateway.address, check=sound) as traffic:
        ended = done(gateway, gateway.change("POST", "/plugins/back/rollback"))
        traffic.more(8)
    assert traffic.seen.failures == []
    headers = get(gateway.address).headers
    assert (headers["x-stamp"], headers["x-note"]) == ("1.0.0", "one")
    (change,) = ended["receipt"]["changes"]
    assert (change["old_version"], change["new_version"]) == ("2.0.0", "1.0.0")
    versions = list(gateway.client.items("/plugins/back/config/versions"))
    assert [one["config"] for one in versions] == [
        {"note": "one"},
        {"note": "two"},
        {"note": "one"},
    ]
    assert plugin(gateway, "back")["desired"]["config_version"] == 3


FAMILIES = (
    "plugbay_plugin_requests_total",
    "plugbay_plugin_duration_seconds_count",
    "plugbay_plugin_state",
    "plugbay_plugin_inflight",
    "plugbay_swap_total",
    "plugbay_swap_duration_seconds_count",
    "plugbay_swap_dropped_requests_total",
    "plugbay_config_generation",
    "plugbay_http_requests_total",
    "plugbay_process_resident_memory_bytes",
)


def test_the_metrics_say_what_happened(gateway: Gateway) -> None:
    samples = metrics(gateway)
    names = {key.split("{")[0] for key in samples}
    assert [name for name in FAMILIES if name not in names] == []

    def caught_up() -> dict[str, float] | None:
        found = metrics(gateway)
        revisions = [v for k, v in found.items() if k.startswith("plugbay_config_generation")]
        desired = gateway.client.call("GET", "/workers").json["revision"]
        idle = total(found, "plugbay_plugin_inflight") == 0
        return found if idle and revisions == [desired] else None

    samples = wait_for("the revision that serves, and nobody inside", caught_up)
    assert total(samples, "plugbay_plugin_state", 'plugin="back"', 'state="active"') == 1
    assert total(samples, "plugbay_plugin_requests_total", 'plugin="back"', 'version="2.0.0"') > 0
    assert total(samples, "plugbay_plugin_requests_total", 'outcome="failed"') == 0
    assert total(samples, "plugbay_http_requests_total", 'code="200"') > 50
    assert total(samples, "plugbay_swap_total", 'result="ok"') > 10
    assert total(samples, "plugbay_swap_dropped_requests_total") == 0
    assert total(samples, "plugbay_process_resident_memory_bytes", "worker-0") > 10 << 20
