"""A thousand damaged uploads to a whole gateway: what it answers, and what is left behind.

    python -m bench.upload_fuzz [--count 1000] [--seed 20261121]

Wheels, executables and shared objects, see `tests/upload_mutants.py`. Those that pass the layers
that only read are tried in a child process, as every upload is. Meanwhile clients send requests
through the gateway.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.upload_mutants import mutants

from bench._gateway import Gateway
from bench._live import Traffic
from bench._rig import describe, table, tree

if TYPE_CHECKING:
    from tests.upload_mutants import Mutant

SEED = 20261121


@dataclass(slots=True)
class Outcome:
    """Answers by what was done to the artifact, and what was wrong."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict[str, Counter[int]])
    problems: list[str] = field(default_factory=list[str])


def send(gateway: Gateway, mutant: Mutant, outcome: Outcome) -> None:
    """Upload one, and delete it again if it was taken: the next may be the same version."""
    connection = http.client.HTTPConnection(str(gateway.facts["admin"]), timeout=120)
    headers = {"authorization": f"Bearer {gateway.client.token}", **mutant.headers}
    target = f"/admin/api/v1/artifacts?{urlencode(mutant.query)}"
    connection.putrequest("POST", target)
    for name, value in headers.items():
        connection.putheader(name, value.encode("latin-1"))
    connection.putheader("content-length", str(len(mutant.body)))
    try:
        connection.endheaders()
        connection.send(mutant.body)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was refused before its end: read why
    response = connection.getresponse()
    text, kind = response.read(), response.headers["content-type"] or ""
    connection.close()
    outcome.statuses.setdefault(mutant.what, Counter())[response.status] += 1
    if response.status in (200, 201):
        digest = response.headers["location"].rsplit("/", 1)[1]
        gateway.client.call("DELETE", f"/artifacts/{digest}")
    elif response.status >= 500:
        outcome.problems.append(f"{mutant.what}: {response.status} {text[:300]!r}")
    elif "json" not in kind and response.status != 400:
        # A request that is no HTTP is answered by the server itself, as text.
        outcome.problems.append(f"{mutant.what}: {response.status} as {kind}")


def left(gateway: Gateway) -> list[str]:
    """Return what is left of artifacts that were not taken: files, and processes."""
    data = gateway.data
    files = [*(data / "tmp").iterdir(), *(data / "unpacked").iterdir()]
    files += [path for path in (data / "blobs").rglob("*") if path.is_file()]
    uploaded = gateway.client.items("/artifacts", state="uploaded")
    return [f"left over: {path}" for path in files] + [f"unsettled: {one}" for one in uploaded]


def main() -> int:
    """Print the answers; 1 if one was a server error, or anything was left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    describe(f"Upload fuzz: {options.count} damaged artifacts, seed {options.seed}")
    outcome = Outcome()
    with Gateway(workers=1) as gateway:
        workers, began = gateway.worker_pids(), time.monotonic()
        with Traffic(gateway.address, clients=2) as traffic:
            before = len(tree(gateway.process.pid))
            for mutant in mutants(options.count, options.seed):
                send(gateway, mutant, outcome)
            traffic.more(20)
        took = time.monotonic() - began
        outcome.problems += traffic.seen.failures + left(gateway)
        if gateway.worker_pids() != workers:
            outcome.problems.append("a worker has ended")
        if (after := len(tree(gateway.process.pid))) > before:
            outcome.problems.append(f"{before} processes before, {after} after")
    rows = [
        (what, sum(found.values()), "  ".join(f"{s}: {n}" for s, n in sorted(found.items())))
        for what, found in sorted(outcome.statuses.items())
    ]
    table(("what", "uploads", "answers"), rows)
    print(f"{took:.0f} s; {traffic.seen.requests} requests meanwhile")
    print(f"server errors, files left, failed requests: {len(outcome.problems)}")
    print("\n".join(outcome.problems[:10]))
    return int(bool(outcome.problems))


if __name__ == "__main__":
    sys.exit(main())
