"""A gateway with GridFS behind it: kept there, brought back from there, and without it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway
from bench._live import Traffic, get
from tests.live._plugins import push
from tests.live.test_full_disk import MANIFEST, STAMP
from tests.unit.artifacts.gridfs.database import running

from plugbay.cli._client import ApiError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


def artifacts(gateway: Gateway, *arguments: str) -> dict[str, Any]:
    """Run `plugbay artifacts …` and return what it printed."""
    command = [sys.executable, "-m", "plugbay", "artifacts", *arguments, "-o", "json"]
    options = ["--url", gateway.admin_url, "--token", gateway.client.token]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def forget(gateway: Gateway) -> None:
    """Lose the files of every artifact, as a new machine does not have them."""
    for folder in (gateway.data / "blobs", gateway.data / "unpacked"):
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o700)
        shutil.rmtree(folder)


def test_artifacts_are_kept_in_the_database_and_traffic_does_not_wait_for_it(
    tmp_path: Path,
) -> None:
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(running(tmp_path))
        settings = f'[artifacts]\nstore = "gridfs"\ngridfs.uri = "mongodb://{address}/"\n'
        gateway = Gateway(workers=1, settings=settings)
        with gateway:
            push(gateway, "stamp", "1.0.0", STAMP, MANIFEST)
            gateway.put("stamp", version="1.0.0", watch=0.0)
            gateway.stop()
            forget(gateway)
            gateway.restart()
            assert get(gateway.address).headers["x-stamp"] == "1.0.0"
            assert artifacts(gateway, "migrate")["failed"] == {}
            report = artifacts(gateway, "check")
            assert report["local"]["missing"] == report["unkept"] == report["unknown"] == []
            stack.close()  # the database goes down
            with Traffic(gateway.address, clients=4, pause=0.0) as traffic:
                with pytest.raises(ApiError, match="not affected") as refusal:
                    push(gateway, "stamp", "2.0.0", STAMP, MANIFEST)
                assert refusal.value.status == 503
                gateway.change("POST", "/plugins/stamp/reload")
                traffic.more(16)
            assert traffic.seen.failures == []
