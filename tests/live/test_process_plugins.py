"""Programs as plugins of a whole gateway: uploaded, swapped under load, killed, given up."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for
from bench._go import ROOT, build_go
from bench._live import Traffic, get, plugin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

POLICY = (
    "[policy]\nhealth_interval = 0.3\nhealth_timeout = 10.0\nhealth_failures = 2\n"
    "[processes]\nopen_files = 99\n[processes.plugins.header-adder]\nopen_files = 88\n"
)
SUBJECT = (
    'id = "subject"\nversion = "{version}"\napi = 1\nruntime = "process"\nentry = "plugbay"\n'
    'provides = ["request-filter", "response-filter", "stateful"]\n'
    'on_error = "{on_error}"\n[limits]\nrequest_ms = 1500\nmemory_mb = 64\n'
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway(workers=2, settings=POLICY) as gateway:
        yield gateway


def upload(gateway: Gateway, program: Path, manifest: str = "") -> Mapping[str, Any]:
    """Upload a program; the artifact must be validated."""
    artifact: Mapping[str, Any] = gateway.client.upload(program, manifest=manifest.encode()).json
    digest = artifact["digest"]

    def settled() -> Any:
        found = gateway.client.call("GET", f"/artifacts/{digest}").json
        return found if found["state"] in ("validated", "rejected") else None

    found: Mapping[str, Any] = wait_for("the artifact is judged", settled)
    assert found["state"] == "validated", found
    return found


def done(gateway: Gateway, operation: Mapping[str, Any]) -> Mapping[str, Any]:
    ended = gateway.operation(operation["id"])
    assert ended["state"] == "succeeded", ended["error"]
    assert ended["receipt"]["totals"]["dropped"] == 0
    assert ended["receipt"]["totals"]["cancelled"] == 0
    return ended


def processes() -> list[int]:
    """Return the processes that execute a private copy of a plugin."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if (
                re.match(rb"/\S*/plugbay-proc-\S+/plugin\0", command)
                and b"PLUGBAY_PLUGIN" in environment
            ):
                found.append(int(entry.name))
    return found


def own(gateway: Gateway) -> list[int]:
    """Return the plugin processes whose parents are this gateway's workers."""
    workers = set(gateway.worker_pids())
    return [pid for pid in processes() if _parent(pid) in workers]


def pair(gateway: Gateway, former: Collection[int] = ()) -> list[int]:
    """Return the processes if there is one for each worker, and none of the `former`."""
    found = own(gateway)
    return found if len(found) == 2 and not set(found) & set(former) else []


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_a_program_is_swapped_under_load_without_a_failed_request(gateway: Gateway) -> None:
    for version in ("1.0.0", "2.0.0"):
        program = build_go(ROOT / "go/examples/header-adder", version=version)
        found = upload(gateway, program)  # its manifest is what it says of itself
        assert found["kind"] == "executable"
    done(gateway, gateway.put("header-adder", version="1.0.0", watch=0.0))
    with Traffic(gateway.address, clients=8, pause=0.0) as traffic:
        for version in ("2.0.0", "1.0.0", "2.0.0"):
            done(gateway, gateway.put("header-adder", version=version))
            assert get(gateway.address).headers["x-added"] == version
            traffic.more(64)
    assert traffic.seen.failures == []
    wait_for("one for each worker is left", lambda: len(own(gateway)) == 2)
    limits = [Path(f"/proc/{pid}/limits").read_text() for pid in own(gateway)]
    assert all(re.search(r"^Max open files\s+88\s+88", text, re.MULTILINE) for text in limits)

    def measured() -> Any:
        totals = gateway.client.call("GET", "/plugins/header-adder/metrics").json["totals"]
        whole = totals["processes"] >= 2 and totals["requests"] >= 3 * 64
        return totals if whole and totals["cpu_seconds"] else None

    totals = wait_for("its processes are measured", measured)
    assert totals["memory_bytes"] > 1 << 20
    done(gateway, gateway.change("POST", "/plugins/header-adder/disable"))
    wait_for("the processes are gone", lambda: not own(gateway))


@pytest.mark.parametrize("on_error", ["open", "closed"])
def test_a_killed_process_comes_back_and_the_policy_is_obeyed(
    gateway: Gateway, on_error: str
) -> None:
    version = "1.0.1" if on_error == "open" else "1.0.2"
    program = build_go(ROOT / "tests/go/subject", version=version)
    upload(gateway, program, SUBJECT.format(version=version, on_error=on_error))
    done(gateway, gateway.put("subject", version=version, watch=0.0))
    with Traffic(gateway.address, clients=4, pause=0.001) as traffic:
        killed = wait_for("one for each worker", lambda: pair(gateway))
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wait_for("both are started again", lambda: pair(gateway, killed))
        wait_for("they answer", lambda: get(gateway.address, "/answer").status == 418)
        traffic.more(64)
    refused = [failure for failure in traffic.seen.failures if "status 503" in failure]
    assert traffic.seen.failures == (refused if on_error == "closed" else [])
    # If the caretaker's checks fell into the restart, it has started a fresh generation instead.
    wait_for(
        "it is active",
        lambda: gateway.client.call("GET", "/plugins/subject").json["state"] == "active",
    )
    done(gateway, gateway.change("POST", "/plugins/subject/disable"))


def test_a_hanging_hook_is_late_and_others_go_on(gateway: Gateway) -> None:
    done(gateway, gateway.put("subject", version="1.0.2", watch=0.0))
    began = time.monotonic()
    assert get(gateway.address, "/hang").status == 503
    assert time.monotonic() - began > 1.4
    assert get(gateway.address).status == 200
    done(gateway, gateway.change("POST", "/plugins/subject/disable"))


def test_a_crash_loop_ends_in_quarantine(gateway: Gateway) -> None:
    version = "1.0.3"
    program = build_go(ROOT / "tests/go/subject", version=version)
    upload(gateway, program, SUBJECT.format(version=version, on_error="open"))
    done(gateway, gateway.put("subject", version=version, watch=0.0))

    def quarantined() -> bool:
        assert get(gateway.address, "/exit").status in (200, 404)
        return "quarantine" in str(plugin(gateway, "subject")) and not own(gateway)

    wait_for("it is put in quarantine", quarantined, every=0.05)
    assert get(gateway.address).status == 200
