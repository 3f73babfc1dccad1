"""What a gateway lends to plugins, over two workers and a restart: kv, events, secrets, metrics."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for
from bench._live import get, metrics, total
from tests.live._plugins import HOST, push

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

PASSWORD, TOKEN, VARIABLE = "correct-horse-battery", "s3cret-token-value", "a-variable-of-the-host"
MANIFEST = """provides = ["request-filter", "event-handler"]
[permissions]
secrets = ["token"]
"""
CONFIG = {"password": "${secret:database}", "variable": "${env:LIVE_TEST_VARIABLE}"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    os.environ["LIVE_TEST_VARIABLE"] = VARIABLE
    try:
        with Gateway(workers=2) as gateway:
            (gateway.data / "secrets" / "token").write_text(TOKEN + "\n")
            (gateway.data / "secrets" / "database").write_text(PASSWORD + "\n")
            source = HOST.replace("{password}", PASSWORD[::-1])
            push(gateway, "lent", "1.0.0", source, MANIFEST)
            operation = gateway.put("lent", version="1.0.0", config=CONFIG, watch=0.0)
            assert gateway.operation(operation["id"])["state"] == "succeeded"
            yield gateway
    finally:
        del os.environ["LIVE_TEST_VARIABLE"]


def ask(gateway: Gateway, what: str = "look") -> dict[str, Any]:
    answer = get(gateway.address, f"/host/{what}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def ask_all(gateway: Gateway) -> dict[int, dict[str, Any]]:
    """Return what each worker says; each connection may come to any of them."""
    found: dict[int, dict[str, Any]] = {}

    def both() -> bool:
        answer = ask(gateway)
        found[answer["worker"]] = answer
        return len(found) == 2

    wait_for("both workers have answered", both)
    return found


def test_secrets_and_variables_reach_the_plugin_and_nobody_else(gateway: Gateway) -> None:
    for answer in ask_all(gateway).values():
        assert answer["right"]
        assert answer["variable"] == VARIABLE
        assert answer["secret"] == len(TOKEN)
    client = gateway.client
    shown = [
        client.call("GET", path).body.decode()
        for path in (
            "/plugins/lent",
            "/plugins/lent/config",
            "/plugins/lent/config/versions",
            "/operations",
            "/artifacts",
            "/workers",
        )
    ]
    assert "${secret:database}" in shown[1]
    assert "${env:LIVE_TEST_VARIABLE}" in shown[1]
    stored = b"".join(path.read_bytes() for path in gateway.data.glob("plugbay.sqlite3*"))
    for secret in (PASSWORD, TOKEN, VARIABLE):
        assert not [text for text in shown if secret in text]
        assert secret.encode() not in stored
    log = gateway.log.read_text()
    assert not [secret for secret in (PASSWORD, TOKEN, VARIABLE) if secret in log]


def test_a_secret_that_nobody_has_set_fails_the_change(gateway: Gateway) -> None:
    content = {"config": {**CONFIG, "password": "${secret:absent}"}}
    operation = gateway.change("PUT", "/plugins/lent/config", content)
    assert operation["state"] == "failed"
    assert "absent" in operation["error"]
    assert ask(gateway)["right"]


def test_events_reach_the_plugins_of_every_worker(gateway: Gateway) -> None:
    ask(gateway, "publish")

    def heard() -> bool:
        answers = ask_all(gateway).values()
        return all("news.one hello" in one["heard"] for one in answers)

    wait_for("both workers have heard", heard)
    assert [one["heard"] for one in ask_all(gateway).values()] == [["news.one hello"]] * 2


def test_a_plugins_metrics_are_added_up(gateway: Gateway) -> None:
    ask_all(gateway)
    name = "plugbay_plugin_lent_visits_total"

    def counted() -> bool:
        return total(metrics(gateway), name, 'plugin="lent"', 'version="1.0.0"') > 1

    wait_for("the plugin's own counter", counted)


def test_kv_is_one_for_all_workers_and_outlives_them(gateway: Gateway) -> None:
    ask(gateway, "set")
    assert [one["stored"] for one in ask_all(gateway).values()] == ["kept", "kept"]
    gateway.process.terminate()
    assert gateway.process.wait(120) == 0
    gateway.restart()
    assert [one["stored"] for one in ask_all(gateway).values()] == ["kept", "kept"]
