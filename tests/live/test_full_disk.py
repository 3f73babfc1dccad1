"""A full disk: traffic goes on, nothing is acknowledged that is not kept, and room heals it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from bench._gateway import Gateway
from bench._live import Traffic, get, plugin
from tests.live._plugins import push

from plugbay.cli._client import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

STAMP = """
from plugbay.sdk import Plugin, Request, Response, ResponseFilter

class Main(Plugin[None], ResponseFilter):
    def on_response(self, request: Request, response: Response) -> Response | None:
        response.headers.set("x-stamp", "{version}")
        return None
"""
MANIFEST = 'provides = ["response-filter"]\n'
AS_ROOT = () if os.getuid() == 0 else ("sudo",)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway whose data directory is a small file system of its own."""
    gateway, disk = Gateway(workers=1), tmp_path / "disk"
    disk.mkdir()
    gateway.data.symlink_to(disk)
    options = f"size=24m,mode=0700,uid={os.getuid()}"
    subprocess.run((*AS_ROOT, "mount", "-t", "tmpfs", "-o", options, "data", disk), check=True)
    try:
        with gateway:
            yield gateway
    finally:
        subprocess.run((*AS_ROOT, "umount", "--lazy", disk), check=True)


@contextlib.contextmanager
def no_room(folder: Path) -> Iterator[None]:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"0")
    try:
        yield
    finally:
        filler.unlink()


def wanted(gateway: Gateway) -> object:
    """What is asked of the plugin, and how it is; not what its workers count meanwhile."""
    view = plugin(gateway, "stamp")
    return {name: value for name, value in view.items() if name != "workers"}


def test_a_full_disk_loses_nothing(gateway: Gateway) -> None:
    push(gateway, "stamp", "1.0.0", STAMP, MANIFEST)
    gateway.put("stamp", version="1.0.0", watch=0.0)
    before = wanted(gateway)
    with no_room(gateway.data), Traffic(gateway.address, clients=4, pause=0.0) as traffic:
        with pytest.raises(ApiError, match=r"No space|disk is full"):
            push(gateway, "stamp", "2.0.0", STAMP, MANIFEST)
        with pytest.raises(ApiError, match=r"No space|disk is full"):
            gateway.change("POST", "/plugins/stamp/disable")
        assert wanted(gateway) == before
        traffic.more(16)
    assert traffic.seen.failures == []
    assert get(gateway.address).headers["x-stamp"] == "1.0.0"
    gateway.push(gateway.folder / "stamp-2.0.0")
    gateway.put("stamp", version="2.0.0", watch=0.0)
    assert get(gateway.address).headers["x-stamp"] == "2.0.0"
