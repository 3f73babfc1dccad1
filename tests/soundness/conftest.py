"""One gateway and one recording upstream for all tests that do not need their own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.soundness.gateway import plain, serving
from tests.soundness.upstream import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Upstream


@pytest.fixture(scope="session")
def recording() -> Iterator[Upstream]:
    with running() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def shared_gateway(recording: Upstream) -> Iterator[Gateway]:
    with serving(**plain(recording.address)) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway: Gateway) -> Gateway:
    shared_gateway.settle()
    return shared_gateway


@pytest.fixture
def upstream(recording: Upstream) -> Upstream:
    recording.settle()  # what the test before has given up may not have been read yet
    recording.requests.clear()
    recording.refused.clear()
    return recording


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of `inner.test`, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    chain, key = folder / "chain.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            key,
            "-out",
            chain,
            "-subj",
            "/CN=inner.test",
            "-addext",
            "subjectAltName=DNS:inner.test",
        ],
        check=True,
        capture_output=True,
    )
    return chain, key
