"""The documentation: its pages, its code blocks, and a gateway to run them on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bench._gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```sh( fails)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as running:
        yield running


@pytest.fixture
def run_page(tmp_path: Path) -> Callable[[Path, Gateway, Path], str]:
    """Run the shell blocks of a page in one shell, as a reader would; return what they print."""

    def run(page: Path, gateway: Gateway, folder: Path) -> str:
        text = page.read_text()
        text = text.replace("http://127.0.0.1:8080", f"http://{gateway.address}")
        text = text.replace("http://127.0.0.1:8081", gateway.admin_url)
        text = text.replace(".plugbay/first-password", str(gateway.data / "first-password"))
        blocks = [
            f"if ({block}) then echo 'it should have failed'; exit 9; fi" if fails else block
            for fails, block in FENCE.findall(text)
        ]
        assert blocks
        script = tmp_path / "page.sh"
        script.write_text("set -euo pipefail\nshopt -s expand_aliases\n" + "\n".join(blocks))
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PLUGBAY_ADMIN_URL": gateway.admin_url,
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        }
        ran = subprocess.run(
            ["bash", "-x", str(script)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    return run
