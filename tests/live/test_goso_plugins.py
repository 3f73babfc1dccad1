"""Go plugins in a whole gateway: uploaded, served, swapped under load, killed, and refused."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for
from bench._live import Traffic, get, sound

from plugbay.cli._client import ApiError
from unit.runtimes.goso.binaries import plugin, runners

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench._traffic import Answer

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]  # the first run builds the plugins

BODIES = '"request-filter", "response-filter", "body-filter"'


def binary(version: str) -> Path:
    return plugin("behave", f"-ldflags=-X main.version={version}")


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    runner = asyncio.run(runners().runner_for(binary("1.0.0")))
    with Gateway(workers=1) as gateway:
        # That a runner is built on demand is tested elsewhere: here it would be the same again.
        shutil.copytree(runner.parent, gateway.data / "runners" / runner.parent.name)
        for version in ("1.0.0", "2.0.0"):
            push(gateway, binary(version), version)
        yield gateway


def push(gateway: Gateway, path: Path, version: str, id: str = "gopher") -> Mapping[str, Any]:
    manifest = (
        f'id = "{id}"\nversion = "{version}"\napi = 1\nruntime = "goso"\nentry = "New"\n'
        f'provides = [{BODIES}]\non_error = "open"\n'
    )
    artifact: Mapping[str, Any] = gateway.client.upload(path, manifest=manifest.encode()).json
    return artifact


@pytest.fixture
def enabled(gateway: Gateway) -> Iterator[Gateway]:
    """The gateway with version 1.0.0, stamped `first`; the plugin is disabled at the end."""
    done(gateway, gateway.put("gopher", version="1.0.0", config={"stamp": "first"}, watch=0.0))
    yield gateway
    done(gateway, gateway.change("POST", "/plugins/gopher/disable"))
    wait_for("its processes have ended", lambda: not processes(gateway))


def done(gateway: Gateway, operation: Mapping[str, Any]) -> None:
    """Wait for an operation's end; it must have succeeded and dropped nothing."""
    ended = gateway.operation(operation["id"])
    assert ended["state"] == "succeeded", ended["error"]
    assert ended["receipt"]["totals"]["dropped"] == 0
    assert ended["receipt"]["totals"]["cancelled"] == 0


def ask(gateway: Gateway, method: str, path: str, body: bytes | None = None) -> tuple[Any, bytes]:
    with contextlib.closing(http.client.HTTPConnection(gateway.address, timeout=100)) as connection:
        connection.request(method, path, body=body)
        response = connection.getresponse()
        return response, response.read()


def processes(gateway: Gateway) -> list[int]:
    """Return the runners of this gateway's workers."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if os.readlink(folder / "exe").startswith(f"{gateway.data}/runners/"):
                    found.append(int(folder.name))
    return found


def test_it_filters_both_legs_and_both_bodies(enabled: Gateway) -> None:
    answer = get(enabled.address)
    assert (answer.headers["x-stamp"], answer.headers["x-version"]) == ("first", "1.0.0")
    response, body = ask(enabled, "GET", "/answer")
    assert (response.status, body) == (418, b"answered 127.0.0.1")
    assert ask(enabled, "GET", "/stream")[1] == b"part 0\npart 1\npart 2\n"
    assert len(ask(enabled, "GET", "/large")[1]) == 4 << 20
    assert ask(enabled, "POST", "/sum", bytes(2_000_000))[1] == b"2000000"
    echoed = json.loads(ask(enabled, "POST", "/anything/body", b"in lower case")[1])
    assert echoed["body"] == "IN LOWER CASE"
    for path, status in (("/anything/upper", 200), ("/anything/late", 201)):
        response, body = ask(enabled, "POST", path, b"shout")
        assert response.status == status
        assert json.loads(body)["BODY"] == "SHOUT"
        assert (response.getheader("x-length") == str(len(body))) == path.endswith("late")
        response, body = ask(enabled, "HEAD", path)
        assert (response.status, body) == (status, b"")


def test_a_panic_passes_by_the_policy_and_harms_nobody(enabled: Gateway) -> None:
    (pid,) = processes(enabled)
    response, body = ask(enabled, "POST", "/anything/panic", b"kept")
    assert response.status == 200
    assert json.loads(body)["body"] == "kept"
    assert get(enabled.address).headers["x-stamp"] == "first"
    assert processes(enabled) == [pid]


def test_swapped_under_load_it_drops_nothing(enabled: Gateway) -> None:
    def stamped(answer: Answer) -> str:
        wrong = sound(answer)
        if not wrong and answer.headers.get("x-version") not in ("1.0.0", "2.0.0"):
            wrong = "no plugin has seen it"
        return wrong

    with Traffic(enabled.address, clients=8, pause=0.0, check=stamped) as traffic:
        for version in ("2.0.0", "1.0.0", "2.0.0"):
            done(enabled, enabled.put("gopher", version=version))
            assert get(enabled.address).headers["x-version"] == version
            traffic.more(50)
        done(enabled, enabled.change("PUT", "/plugins/gopher/config", {"config": {"stamp": "x"}}))
        assert get(enabled.address).headers["x-stamp"] == "x"
    assert traffic.seen.failures == []
    wait_for("the old processes have ended", lambda: len(processes(enabled)) == 1)


def test_killed_under_load_the_traffic_goes_on_and_it_comes_back(enabled: Gateway) -> None:
    (pid,) = processes(enabled)
    with Traffic(enabled.address, clients=8, pause=0.0) as traffic:
        traffic.more(50)
        os.kill(pid, signal.SIGKILL)
        traffic.more(50)
        wait_for("another is there", lambda: processes(enabled) not in ([], [pid]))
        wait_for("it is back", lambda: get(enabled.address).headers.get("x-stamp") == "first")
    assert traffic.seen.failures == []
    assert pid not in processes(enabled)


def test_disabled_it_leaves_no_process(gateway: Gateway) -> None:
    done(gateway, gateway.put("gopher", version="1.0.0", watch=0.0))
    assert len(processes(gateway)) == 1
    done(gateway, gateway.change("POST", "/plugins/gopher/disable"))
    assert "x-stamp" not in get(gateway.address).headers
    wait_for("its process has ended", lambda: not processes(gateway))


@pytest.mark.parametrize(
    ("name", "detail"),
    [("wrong", "New is a func() string"), ("initpanic", "it panicked while it was opened")],
)
def test_a_bad_one_is_refused_at_the_door(gateway: Gateway, name: str, detail: str) -> None:
    with pytest.raises(ApiError) as caught:
        push(gateway, plugin(name), "1.0.0", id=name)
    assert caught.value.status == 422
    assert detail in json.dumps(caught.value.problem)
    assert get(gateway.address).status == 200


def test_a_constructor_that_fails_leaves_the_old_version_in_service(enabled: Gateway) -> None:
    for new in ("panic", "exit"):
        config = {"config": {"stamp": "bad", "new": new}}
        operation = enabled.change("PUT", "/plugins/gopher/config", config)
        assert enabled.operation(operation["id"])["state"] == "failed"
        assert get(enabled.address).headers["x-stamp"] == "first"
    wait_for("one process is left", lambda: len(processes(enabled)) == 1)
