"""The OpenAPI document against a gateway: every operation, as it says and as it does not.

    python -m bench.api_fuzz [--examples 50] [--seed 20261121]

Each answer must be one that the document describes, and none a server error; whoever is not
signed in gets 401 from every operation that asks for it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import requests
from tests.api_conformance import Target, call_all, call_as_nobody
from tests.unit.artifacts.wheels import make_wheel

from bench._gateway import Gateway
from bench._rig import describe, table

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20261121
PLUGIN, VERSION, USER = "hello", "1.0.0", "someone"
PASSWORD = "a-long-and-dull-sentence"  # noqa: S105 - of a user of this benchmark


def prepare(gateway: Gateway) -> Target:
    """Run a plugin, add a user, and say what is there."""
    client = gateway.client
    wheel = make_wheel(gateway.folder, id=PLUGIN)
    digest = client.upload(wheel).json["digest"]
    gateway.put(PLUGIN, version=VERSION, watch=0.0)
    client.call("POST", "/users", {"name": USER, "password": PASSWORD, "roles": ["viewer"]})
    api, binaries = "/admin/api/v1", "/admin/api/plugin-binaries/"
    mine = {"authorization": f"Bearer {client.token}"}
    listed = requests.get(f"{gateway.admin_url}{binaries}list", headers=mine, timeout=60).json()
    return Target(
        url=gateway.admin_url,
        tokens=tokens(gateway),
        known={
            (f"{api}/plugins/", "plugin"): PLUGIN,
            ("/plugins/", "plugin"): PLUGIN,
            (f"{api}/artifacts/", "digest"): digest,
            (f"{api}/users/", "name"): USER,
            (f"{api}/routes/", "name"): "all",
            (f"{api}/upstreams/", "name"): "sample",
            (f"{api}/workers/", "worker"): client.call("GET", "/workers").json["items"][0][
                "worker"
            ],
            (f"{api}/operations/", "operation_id"): client.call("GET", "/operations").json["items"][
                0
            ]["id"],
            (binaries, "id"): listed["plugins"][0]["id"],
        },
    )


def tokens(gateway: Gateway) -> Iterator[str]:
    """Yield tokens that were made while one could still sign in."""
    scopes = gateway.client.call("GET", "/whoami").json["permissions"]
    wish = {"name": "api-fuzz", "scopes": scopes}
    yield from [gateway.client.call("POST", "/tokens", wish).json["secret"] for _ in range(100)]


def main() -> int:
    """Print how the operations have answered; 1 if anything differs from the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=50)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    describe(f"OpenAPI: {options.examples} cases of each operation and kind, seed {options.seed}")
    with Gateway(workers=1) as gateway:
        document = gateway.client.call("GET", "/openapi.json").json
        target, began = prepare(gateway), time.monotonic()
        nobody = call_as_nobody(target, document)
        admin = call_all(target, document, examples=options.examples, number=options.seed)
        took = time.monotonic() - began
    rows: list[tuple[object, ...]] = []
    for name, outcome in (("nobody", nobody), ("administrator", admin)):
        classes = Counter[str]()
        for statuses in outcome.statuses.values():
            for status, count in statuses.items():
                classes[f"{status // 100}xx"] += count
        told = "  ".join(f"{one}: {count}" for one, count in sorted(classes.items()))
        rows.append((name, len(outcome.statuses), outcome.cases, told, len(outcome.wrong)))
    table(("as", "operations", "cases", "answers", "failures"), rows)
    reached = sum(min(statuses) < 400 for statuses in admin.statuses.values())
    print(f"operations that were carried out at least once: {reached}; {took:.0f} s")
    wrong = nobody.wrong + admin.wrong
    print("\n".join(wrong[:20]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
