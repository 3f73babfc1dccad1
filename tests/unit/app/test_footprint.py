"""What a process imports is what it weighs: the heavy parts stay out of those that do without."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import plugbay

IMPORTED = re.compile(rb"import time:.*\| *([\w.]+)$", re.MULTILINE)
CHILD = Path(plugbay.__file__).parent / "artifacts" / "static_child.py"
ARCHIVES = ("plugbay.artifacts", "cryptography", "elftools")
"""Uploads, their signatures and binaries."""
MESSAGES = ("google.protobuf", "grpc")
"""The extra `grpc`."""
PROGRAMS = ("plugbay.runtimes.process", "plugbay.runtimes.goso", "plugbay.km")
"""Plugins that are processes."""
ADMINISTRATION = ("plugbay.admin", "litestar", "uvicorn", "jinja2", "jsonschema", "argon2")
EXTRAS = ("opentelemetry", "sigstore", "pymongo", "numpy", "mcp")
DURABLE = ("sqlite3", "plugbay.control._coordinator", "plugbay.runtimes._trial")
"""What the supervisor decides and keeps."""
SELDOM = ("wsproto", "ctypes", "email", "pickle", "tempfile")
"""What some plugins, or some messages, need."""
COMMANDS = ("typer", "rich", "plugbay.cli._root", "plugbay.demo")
ALWAYS = (*MESSAGES, *EXTRAS)

PROCESSES = {
    "worker": (
        ("-c", "import plugbay.app.worker"),
        (
            *(*ALWAYS, *ARCHIVES, *PROGRAMS, *ADMINISTRATION, *COMMANDS),
            *(*DURABLE, *SELDOM, "packaging"),
        ),
    ),
    "supervisor": (("-c", "import plugbay.app.serve"), (*ALWAYS, "jsonschema", *COMMANDS)),
    "monitor": (
        ("-c", "import plugbay.cli, plugbay.app.monitor"),
        (*ALWAYS, *ARCHIVES, *ADMINISTRATION, *COMMANDS, "plugbay.gateway", "plugbay.control"),
    ),
    "child that reads sources": (
        ("-I", "-B", str(CHILD)),
        (*ALWAYS, *ARCHIVES[1:], "plugbay.artifacts._store", "plugbay.storage", "plugbay.runtimes"),
    ),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_imports_nothing_heavy_that_it_may_never_need(process: str) -> None:
    arguments, heavy = PROCESSES[process]
    command = [sys.executable, "-X", "importtime", *arguments]
    bare = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(command, input=b"{}", capture_output=True, check=False, env=bare)
    found = {name.decode() for name in IMPORTED.findall(done.stderr)}
    assert "plugbay.kernel" in found, done.stderr
    assert not found.intersection(heavy)
