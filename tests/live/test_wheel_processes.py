"""Wheels in processes of their own, in a whole gateway: their dependencies, swaps, and kills."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for, write_plugin
from bench._go import ROOT
from bench._live import Traffic, get
from tests.wheelhouse import installed_wheel, locked, pure_wheel

from plugbay.artifacts import build_wheel
from plugbay.cli._client import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
SOURCE = """
import greet
import httptools
from plugbay.sdk import Plugin, RequestFilter, ResponseFilter


class Main(Plugin, RequestFilter, ResponseFilter):
    def on_request(self, request):
        request.headers.set("x-parser", httptools.__version__)

    def on_response(self, request, response):
        response.headers.set("x-greet", greet.WORD)
"""
PROVIDES = 'provides = ["request-filter", "response-filter"]\n'


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="module")
def gateway(wheelhouse: Path) -> Iterator[Gateway]:
    settings = f'[environments]\noffline = true\nfind_links = ["{wheelhouse}"]\n'
    settings += "[policy]\nhealth_interval = 0.5\n"
    with Gateway(workers=2, settings=settings) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def hello(gateway: Gateway) -> Mapping[str, Any]:
    artifact: Mapping[str, Any] = gateway.push(ROOT / "plugins/examples/hello")
    return artifact


def needy(
    folder: Path, wheelhouse: Path, version: str, on_error: str = "closed", lock: str | None = None
) -> Path:
    """Build a wheel that needs greet in its own version, and a C extension."""
    wheels = (
        pure_wheel(wheelhouse, "greet", version, f"WORD = {version!r}\n"),
        next(wheelhouse.glob("httptools-*"), None) or installed_wheel(wheelhouse, "httptools"),
    )
    manifest = f'on_error = "{on_error}"\n{PROVIDES}'
    project = write_plugin(folder / version, "needy", version, SOURCE, manifest)
    toml = project / "pyproject.toml"
    toml.write_text(toml.read_text() + f'dependencies = ["greet=={version}", "httptools"]\n')
    text = locked(*wheels) if lock is None else lock
    (project / "src/plugbay_needy/plugbay.lock").write_text(text)
    return build_wheel(project, folder / "dist")


def processes(gateway: Gateway) -> list[int]:
    """Return the processes of wheels whose parents are this gateway's workers."""
    workers, found = set(gateway.worker_pids()), list[int]()
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdecimal() else b""
            stat = (entry / "stat").read_text() if b"wheelhost/main.py" in command else ""
        except OSError:
            continue
        if stat and int(stat.rpartition(")")[2].split()[1]) in workers:
            found.append(int(entry.name))
    return found


def _runs_in(gateway: Gateway, count: int) -> bool:
    return len(processes(gateway)) == count


def done(gateway: Gateway, operation: Mapping[str, Any]) -> None:
    ended = gateway.operation(operation["id"])
    assert ended["state"] == "succeeded", ended["error"]
    assert ended["receipt"]["totals"]["dropped"] == 0
    assert ended["receipt"]["totals"]["cancelled"] == 0


def test_a_wheel_is_moved_out_and_in_again_under_load(
    gateway: Gateway, hello: Mapping[str, Any]
) -> None:
    done(gateway, gateway.put("hello", version=hello["version"], watch=0.0))
    with Traffic(gateway.address, clients=8, pause=0.0) as traffic:
        for runtime, count in (("process", 2), ("in-process", 0), ("process", 2), ("default", 0)):
            done(gateway, gateway.put("hello", runtime=runtime))
            assert get(gateway.address).headers["x-hello"] == "hello"
            wait_for("its processes", partial(_runs_in, gateway, count))
            traffic.more(64)
    assert traffic.seen.failures == []
    done(gateway, gateway.put("hello", runtime="process"))
    back = gateway.change("POST", "/plugins/hello/rollback")
    done(gateway, back)
    view = gateway.client.call("GET", "/plugins/hello").json
    assert view["desired"]["runtime"] == "default"
    done(gateway, gateway.change("POST", "/plugins/hello/disable"))


def test_dependencies_come_from_the_lock(
    gateway: Gateway, wheelhouse: Path, tmp_path: Path
) -> None:
    first = needy(tmp_path, wheelhouse, "1.0")
    with pytest.raises(ApiError) as refused:
        gateway.client.upload(first)
    assert f"plugbay plugin push {first.name} --runtime process" in str(refused.value.problem)
    chosen = b'runtime = "process"'
    for wheel in (first, needy(tmp_path, wheelhouse, "2.0")):
        artifact = gateway.client.upload(wheel, manifest=chosen).json
        assert artifact["state"] == "validated", artifact["layers"]
        layers = {layer["name"]: layer["result"] for layer in artifact["layers"]}
        assert layers["environment"] == layers["trial"] == "passed"
    done(gateway, gateway.put("needy", version="1.0", watch=0.0))
    with Traffic(gateway.address, clients=4, pause=0.0) as traffic:
        for version in ("2.0", "1.0", "2.0"):
            done(gateway, gateway.put("needy", version=version))
            assert get(gateway.address).headers["x-greet"] == version
            traffic.more(32)
    assert traffic.seen.failures == []
    failed = gateway.operation(gateway.put("needy", runtime="in-process")["id"])
    assert failed["state"] == "failed"
    assert "plugbay plugin enable needy --runtime process" in failed["error"]
    assert get(gateway.address).headers["x-greet"] == "2.0"
    done(gateway, gateway.change("POST", "/plugins/needy/disable"))


def test_a_lock_that_lacks_something_is_refused(
    gateway: Gateway, wheelhouse: Path, tmp_path: Path
) -> None:
    wheel = needy(tmp_path, wheelhouse, "3.0", lock="")
    with pytest.raises(ApiError) as refused:
        gateway.client.upload(wheel, manifest=b'runtime = "process"')
    assert "the lock does not have what the wheel requires" in str(refused.value.problem)


@pytest.mark.parametrize("on_error", ["open", "closed"])
def test_a_killed_process_comes_back_and_the_policy_is_obeyed(
    gateway: Gateway, hello: Mapping[str, Any], on_error: str
) -> None:
    version = hello["version"]
    done(
        gateway,
        gateway.put("hello", version=version, watch=0.0, runtime="process", on_error=on_error),
    )
    with Traffic(gateway.address, clients=4, pause=0.001) as traffic:
        wait_for("one for each worker", partial(_runs_in, gateway, 2))
        killed = processes(gateway)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

        def again() -> bool:
            now = processes(gateway)
            return len(now) == 2 and not set(now) & set(killed)

        wait_for("both are started again", again)
        wait_for("they answer", lambda: get(gateway.address).headers.get("x-hello") == "hello")
        traffic.more(64)
    refused = [failure for failure in traffic.seen.failures if "status 503" in failure]
    assert traffic.seen.failures == (refused if on_error == "closed" else [])
    done(gateway, gateway.change("POST", "/plugins/hello/disable"))
