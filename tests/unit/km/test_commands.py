"""The command lines `km` and `plugbay`, as users type them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugbay.artifacts.signing import generate_key, load_private_key, public_pem
from plugbay.kernel import NotFound

from .conftest import KM, TEST, Home

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER = Path(__file__).parents[1] / "mcp" / "server.py"
PATIENCE = 60.0


def test_list_and_status_print_what_km_prints(home: Home, console_logger: Path) -> None:
    home.install(console_logger)
    listed = home.km("plugins", "list")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[1].split() == [
        *("console-logger", "v1.0.0", "Free", "Active", "Just", "now")
    ]
    status = home.km("plugins", "status")
    assert status.stdout == "🔌 console-logger v1.0.0 (Active, Free tier)\n"
    assert not status.stderr


def test_monitor_says_what_it_has_loaded(home: Home, console_logger: Path) -> None:
    home.install(console_logger)
    done = home.session("[PluginHandler] Loaded")
    assert (done.returncode, done.stdout) == (0, f"{TEST}\n")
    lines = done.stderr.splitlines()
    assert "[PluginHandler] Loaded 1 plugins: ✓ console-logger v1.0.0 (Free tier)" in lines
    assert any(line.startswith("[console-logger] response 33 bytes") for line in lines)
    assert not any("debug" in line for line in lines)


def test_km_debug_tells_every_step_and_no_key(home: Home, console_logger: Path) -> None:
    home.install(console_logger)
    done = home.session("initialized", KM_DEBUG="1")
    for step in ("discovered 1", "sha256", "process runs", "authorised", "initialized", "ended"):
        assert step in done.stderr
    assert "test-api-key" not in done.stderr


def test_a_plugin_that_this_key_may_not_use_is_left_out_quietly(home: Home) -> None:
    told = home.write("pro", tier="Pro")
    done = home.session("[PluginHandler] Loaded")
    assert done.stderr == "[PluginHandler] Loaded 0 plugins\n"
    assert (done.returncode, told("message")) == (0, [])
    (row,) = json.loads(home.cli("plugins", "list", "-o", "json").stdout)
    assert (row["state"], row["last_activity"]) == ("Unauthorized", "Never")
    status = home.cli("plugins", "status").stdout.splitlines()
    assert status[0] == "🔌 pro v2.1.0 (Unauthorized, Pro tier)"
    assert "needs the tier Pro" in status[1]


def test_without_a_key_nobody_is_authorised(home: Home, console_logger: Path) -> None:
    home.install(console_logger)
    (row,) = json.loads(home.cli("plugins", "list", "-o", "json", KM_API_KEY="").stdout)
    assert row["state"] == "Unauthorized"
    assert "invalid API key format" in row["reason"]


def test_enforced_signatures(home: Home, console_logger: Path) -> None:
    target = home.install(console_logger)
    pem = generate_key()
    (home.path / "acme.key").write_bytes(pem)
    (home.path / "acme.pub").write_bytes(public_pem(load_private_key(pem).public_key()))
    home.configure(
        f'signatures = "enforce"\n[[publishers]]\nname = "acme"\nkeys = ["{home.path}/acme.pub"]\n'
    )
    done = home.km("monitor", "--", "echo", TEST)
    assert "[PluginHandler] ✗ console-logger: it is not signed" in done.stderr
    assert done.stdout == f"{TEST}\n"
    doctor = home.cli("doctor")
    assert doctor.exit_code == 1
    assert "console-logger: it is not signed" in doctor.stdout
    assert home.cli("sign", target, "--key", home.path / "acme.key").exit_code == 0
    (row,) = json.loads(home.cli("plugins", "status", "-o", "json").stdout)
    assert (row["state"], row["signed_by"]) == ("Active", "acme")
    assert home.cli("doctor").exit_code == 0


def test_info_of_one_and_of_none(home: Home, console_logger: Path) -> None:
    home.install(console_logger, name="console-logger", version="1.0.0", author="us")
    found = json.loads(home.cli("plugins", "info", "console-logger", "-o", "json").stdout)
    assert (found["author"], found["features"]) == ("us", ["console_logging"])
    none = home.cli("plugins", "info", "none")
    assert isinstance(none.exception, NotFound)
    assert "there is no plugin 'none'" in str(none.exception)


def test_no_plugins_cost_and_say_nothing(home: Home) -> None:
    done = home.km("monitor", "--", "echo", TEST)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{TEST}\n", "")
    assert "no plugins" in home.cli("plugins", "list").stdout
    assert "no plugins" in home.cli("plugins", "status").stdout
    found = json.loads(home.cli("doctor", "-o", "json", KM_API_KEY="").stdout)
    assert [one["result"] for one in found if one["check"] == "key"] == ["ok"]


def test_a_configuration_that_is_wrong_stops_everything(home: Home) -> None:
    told = home.write()
    home.configure("signature = true")
    done = home.km("monitor", "--", "echo", TEST)
    assert (done.returncode, done.stdout) == (1, "")
    assert "unknown key" in done.stderr
    assert home.cli("doctor").exit_code == 1
    home.configure("enabled = false")
    assert home.km("monitor", "--", "echo", TEST).returncode == 0
    assert not told()


def test_one_that_does_not_start_is_told_of_without_debugging(
    home: Home, console_logger: Path
) -> None:
    target = home.plugins / "km-plugin-console-logger"
    target.write_text("#!/bin/sh\necho boom >&2\nexit 3\n")
    target.chmod(0o755)
    done = home.session("is tried again")
    assert (done.returncode, done.stdout) == (0, f"{TEST}\n")
    (said,) = [line for line in done.stderr.splitlines() if "is tried again" in line]
    assert said.startswith("[PluginHandler] ✗ console-logger is tried again: it ended before")
    assert "exit code 3; it said: boom" in said
    assert "must serve by go-plugin" in said
    (row,) = json.loads(home.cli("plugins", "status", "-o", "json").stdout)
    assert row["state"] == "Failed"
    assert "it said: boom" in row["reason"]
    home.install(console_logger)
    (row,) = json.loads(home.cli("plugins", "info", "console-logger", "-o", "json").stdout)[
        "warnings"
    ]
    assert row.startswith("it failed in the last session: it ended before the handshake")


def test_exit_codes_are_those_of_the_server(home: Home) -> None:
    told = home.write()
    assert home.shell(told, "kill -9 $$").returncode == 137
    assert told("error")[0]["text"] == "the MCP server has ended with code 137"
    assert [one["kind"] for one in told("stream")] == ["start", "error"]
    assert told("stream")[1]["data"]["exit_code"] == "137"
    assert home.km("monitor", "--", "no-such-command").returncode == 127


def test_the_end_is_bounded_and_tells_how_much_was_missed(home: Home) -> None:
    told = home.write()
    noted = '{"jsonrpc":"2.0","method":"hang"}'
    done = home.shell(told, f"for i in 1 2 3 4 5; do echo '{noted}'; done")
    assert done.returncode == 0
    missed = [line for line in done.stderr.splitlines() if "missed" in line]
    # Of five messages it hangs at the first; before them was the start, and then is the end.
    assert missed == ["[PluginHandler] watcher has missed 6 of 7 messages and events"]


def test_the_doctor_looks_at_folders_and_at_the_gateway(home: Home) -> None:
    home.plugins.chmod(0o777)
    done = home.cli("doctor", "--url", "http://127.0.0.1:9", "--gateway", "-o", "json")
    assert done.exit_code == 1
    failed = {one["check"] for one in json.loads(done.stdout) if one["result"] == "failed"}
    assert failed == {"folder", "gateway"}


def test_kill_9_in_a_session_loses_no_message_of_the_stream(
    home: Home, console_logger: Path
) -> None:
    restarts = 3
    home.install(console_logger)
    told = home.write()
    process = subprocess.Popen(
        [*KM, "monitor", "--", sys.executable, str(SERVER)],
        env=home.environment(),
        cwd=home.path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    number = 0

    def call() -> dict[str, Any]:
        nonlocal number
        number += 1
        asked = {"name": "echo", "arguments": {"n": number}}
        request = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": asked}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    try:
        for count in range(1, restarts + 1):
            pid = _pid_of(told, count)
            for _ in range(5):
                assert call()["id"] == number
            os.kill(pid, signal.SIGKILL)
            for _ in range(20):
                assert call()["id"] == number
        _pid_of(told, restarts + 1)
        # A message that was just being told to the one that was killed may be lost; others are not.
        _wait_until(lambda: len(_seen(told)) >= 2 * number - restarts)
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
        errors = process.stderr.read().decode()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
    assert errors.count("✓ watcher v2.1.0 runs again") == restarts
    assert len(_seen(told)) <= 2 * number


def _seen(told) -> set[str]:
    """Return the messages that it was told."""
    return {one["data"] for one in told("message")}


def _pid_of(told, count: int) -> int:
    """Wait until it was initialized so often; return the newest's process id."""
    _wait_until(lambda: len(told("initialize")) >= count)
    return told("initialize")[-1]["pid"]


def _wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
