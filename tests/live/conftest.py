"""Whole gateways, and the commands as people type them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from bench._gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Shell:
    """`plugbay` as a process, signed in to one gateway."""

    gateway: Gateway
    folder: Path

    def __call__(self, *arguments: object, code: int = 0) -> str:
        """Run it and return what it printed; it must exit with `code`."""
        ran = subprocess.run(
            [sys.executable, "-m", "plugbay", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=120,
        )
        assert ran.returncode == code, f"{arguments}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        assert "Traceback" not in ran.stderr
        return ran.stdout + ran.stderr

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PLUGBAY_ADMIN_URL": self.gateway.admin_url,
            "XDG_CONFIG_HOME": str(self.folder / "config"),
        }

    def get(self, path: str = "/json") -> tuple[int, dict[str, str]]:
        """Ask the gateway; return status and header fields."""
        with closing(HTTPConnection(self.gateway.address, timeout=100)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}


@pytest.fixture(scope="module")
def plugbay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A gateway of two workers."""
    with Gateway(workers=2) as gateway:
        yield Shell(gateway, tmp_path_factory.mktemp("shell"))
