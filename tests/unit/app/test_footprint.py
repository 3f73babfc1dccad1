"""What a process imports is what it weighs: the heavy parts stay out of those that do without."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ARCHIVES = ("plugbay.artifacts", "cryptography", "elftools")
"""Uploads, their signatures and binaries."""
PROGRAMS = ("google.protobuf", "grpc", "plugbay.runtimes.process", "plugbay.runtimes.goso")
"""Plugins that are processes."""
ADMINISTRATION = ("plugbay.admin", "litestar", "uvicorn", "jinja2", "jsonschema", "argon2")
EXTRAS = ("opentelemetry", "sigstore", "pymongo", "numpy", "mcp")
COMMANDS = ("typer", "rich", "plugbay.cli", "plugbay.demo")

PROCESSES = {
    "plugbay.app.worker": (*ARCHIVES, *PROGRAMS, *ADMINISTRATION, *EXTRAS, *COMMANDS),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_imports_nothing_heavy_that_it_may_never_need(process: str) -> None:
    program = f"import json, sys, {process}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    found = set(json.loads(done.stdout))
    assert process in found
    assert not found.intersection(PROCESSES[process])
