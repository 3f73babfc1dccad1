"""How the wrapper behaves towards the processes on either side of it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

POLICIES = """
import json, os, sys
found = [os.sched_getscheduler(pid) for pid in (os.getppid(), os.getpid())]
say = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"found": found}}
print(json.dumps(say), flush=True)
sys.stdin.read()
"""


def test_it_does_not_interrupt_others_and_its_server_is_as_any_process(monitor):
    client = monitor(server=("--", sys.executable, "-c", POLICIES))
    wrapper, server = client.line()["params"]["found"]
    assert wrapper & ~os.SCHED_RESET_ON_FORK == os.SCHED_BATCH
    assert server == os.SCHED_OTHER
    assert client.end() == 0


def test_a_large_call_is_held_once_and_its_memory_given_back(monitor, project):
    look = """
def on_tool_result(self, message):
    if message.id == "look":
        return message.replace(result={"asked": len(message.request.arguments["text"])})
"""
    client = monitor("-p", str(project("look", look)))
    client.call(1, text="small")
    client.line()
    before = kib(client, "VmRSS")
    for id in range(3):
        client.call(id, text="x" * LARGE)
        assert len(client.line()["result"]["content"][0]["text"]) > LARGE
    assert kib(client, "VmHWM") - before < 1.5 * LARGE / 1024  # not the request with its answer
    assert kib(client, "VmRSS") - before < LARGE / 2 / 1024
    client.call("look", text="x" * LARGE)
    assert client.line()["result"] == {"asked": LARGE}
    assert client.end() == 0


LARGE = 10_000_000


def kib(client, name):
    status = Path(f"/proc/{client.process.pid}/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", status)[1])
