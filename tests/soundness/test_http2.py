"""HTTP/2 over TLS: h2spec, a client that negotiates, and answers that are whole."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.go_binaries import ROOT, go
from tests.soundness.gateway import plain, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Upstream

pytestmark = pytest.mark.live

SPEC = Path(__file__).parents[1] / "go" / "h2spec"


@pytest.fixture(scope="module")
def secure(recording: Upstream, pem: tuple[Path, Path]) -> Iterator[Gateway]:
    tls = [{"chain": str(pem[0]), "key": str(pem[1])}]
    with serving(tls=tls, http2=True, **plain(recording.address)) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def h2spec() -> Path:
    """The conformance tests, built at the versions that `go.mod` pins."""
    target = ROOT / "h2spec"
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / "lock").open("w") as lock:  # several test processes, one build
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [go(), "build", "-C", SPEC, "-mod=readonly", "-o", target, "."]
        subprocess.run(command, check=True, env=os.environ | {"GOFLAGS": ""}, timeout=300)
    return target


def test_h2spec(secure: Gateway, h2spec: Path) -> None:
    done = subprocess.run(
        [h2spec, str(secure.port), "tls"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[done.stdout.find("Failures") :]
    assert "146 tests, 146 passed, 0 skipped, 0 failed" in done.stdout
    secure.settle()


def context(pem: tuple[Path, Path]) -> ssl.SSLContext:
    trusting = ssl.create_default_context(cafile=str(pem[0]))
    trusting.check_hostname = False  # it is asked for by its address
    return trusting


def test_requests_of_a_client_that_negotiates(
    secure: Gateway, upstream: Upstream, pem: tuple[Path, Path]
) -> None:
    body = bytes(range(256)) * 4000

    async def main() -> None:
        url = f"https://127.0.0.1:{secure.port}"
        async with httpx.AsyncClient(http2=True, verify=context(pem), timeout=100) as client:
            answers = await asyncio.gather(*(client.get(f"{url}/{n}") for n in range(50)))
            for number, answer in enumerate(answers):
                assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
                assert answer.json()["target"] == f"/{number}"
                assert ["x-forwarded-proto", "https"] in answer.json()["headers"]
            uploads = await asyncio.gather(*(client.post(f"{url}/up", content=body) for _ in "123"))
            assert all(answer.json()["body"] == body.decode("latin-1") for answer in uploads)
        async with httpx.AsyncClient(verify=context(pem), timeout=100) as client:
            assert (await client.get(url)).http_version == "HTTP/1.1"

    asyncio.run(main())
    assert [one.body for one in upstream.requests if one.target == b"/up"] == [body] * 3
    assert upstream.refused == []
    secure.settle()


def test_a_listener_that_is_told_not_to(
    recording: Upstream, upstream: Upstream, pem: tuple[Path, Path]
) -> None:
    tls = [{"chain": str(pem[0]), "key": str(pem[1])}]
    with serving(tls=tls, http2=False, **plain(recording.address)) as gateway:
        with httpx.Client(http2=True, verify=context(pem), timeout=100) as client:
            answer = client.get(f"https://127.0.0.1:{gateway.port}/x")
        assert answer.http_version == "HTTP/1.1"
        assert json.loads(answer.content)["target"] == "/x"
