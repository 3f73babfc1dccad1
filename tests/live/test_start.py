"""Starting and stopping: what is printed and kept, what is refused, what is let finish."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from bench._gateway import Gateway, wait_for, workers_of
from bench._live import get, metrics, total
from bench._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway() as gateway:
        yield gateway


def serve(config: Path) -> subprocess.CompletedProcess[str]:
    """Run a gateway that is expected to refuse to start."""
    command = [sys.executable, "-m", "plugbay", "serve", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_first_password_is_for_its_owner_only(gateway: Gateway) -> None:
    file = gateway.data / "first-password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(gateway.data.stat().st_mode) == 0o700
    assert len(file.read_text().strip()) >= 16


def test_no_password_and_no_token_is_in_the_log(gateway: Gateway) -> None:
    log = gateway.log.read_text()
    assert "plugbay.audit" in log
    assert (gateway.data / "first-password").read_text().strip() not in log
    assert gateway.client.token not in log


def test_two_gateways_have_different_passwords(gateway: Gateway) -> None:
    with Gateway(upstream=gateway.upstream) as other:
        one, another = ((g.data / "first-password").read_text() for g in (gateway, other))
    assert one != another


def test_a_second_supervisor_on_the_data_is_refused(gateway: Gateway) -> None:
    ended = serve(gateway.config)
    assert ended.returncode != 0
    assert re.search(r"a gateway is running on .* already; stop it first", ended.stderr)
    assert "Traceback" not in ended.stderr
    assert get(gateway.address).status == 200


@pytest.mark.parametrize("which", ["listeners", "admin", "metrics"])
def test_a_port_in_use_is_refused(tmp_path: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        places = {"listeners": "127.0.0.1:0", "admin": "127.0.0.1:0", "metrics": "127.0.0.1:0"}
        places[which] = address
        config = tmp_path / "gateway.toml"
        config.write_text(
            f'data_dir = "{tmp_path / "data"}"\n[[listeners]]\naddress = "{places["listeners"]}"\n'
            f'[admin]\naddress = "{places["admin"]}"\n'
            f'[metrics]\naddress = "{places["metrics"]}"\n'
        )
        ended = serve(config)
    assert ended.returncode != 0
    assert f"cannot listen at {address}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert workers_of(tmp_path / "data") == []


def test_sigterm_lets_requests_end_and_leaves_no_worker() -> None:
    with Gateway(workers=2) as gateway:
        slow = [Stream(gateway) for _ in range(6)]
        for stream in slow:
            stream.start()

        def inside() -> bool:
            return total(metrics(gateway), "plugbay_http_requests_in_flight") == 6

        wait_for("six requests are inside", inside)
        gateway.process.terminate()
        wait_for("it drains", lambda: "the workers drain" in gateway.log.read_text())
        for stream in slow:
            stream.release()
        assert gateway.process.wait(120) == 0
        assert all(stream.whole for stream in slow)
        assert workers_of(gateway.data) == []
        assert "Traceback" not in gateway.log.read_text()


def test_the_log_is_json_and_the_state_survives(gateway: Gateway) -> None:
    written = gateway.log.read_text().rpartition("\n")[0]  # another may just be written
    lines = [line for line in written.splitlines() if line.startswith("{")]
    assert lines
    assert all({"time", "level", "message"} <= json.loads(line).keys() for line in lines)
    assert os.path.exists(gateway.data / "plugbay.sqlite3")
