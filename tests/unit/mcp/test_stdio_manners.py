"""How the wrapper behaves towards the processes on either side of it."""

from __future__ import annotations

import os
import sys

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
