"""Following a change to its end, and drawing its receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugbay.cli._output import Format, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.cli._client import AdminClient, Reply

RUNNING = ("pending", "preparing", "committing", "draining")


def follow(client: AdminClient, reply: Reply, wait: float) -> dict[str, Any]:
    """Return the operation that `reply` tells of; wait for its end, unless `wait` is 0."""
    operation: dict[str, Any] = reply.json
    if wait > 0 and operation["state"] in RUNNING:
        path = f"/operations/{operation['id']}"
        query = {"wait": "converged", "timeout": wait}
        operation = client.call("GET", path, query=query).json
    return operation


def print_operation(operation: Mapping[str, Any], output: Format) -> None:
    """Print an operation and, if it has ended, its receipt."""
    if output is Format.JSON:
        print_json(operation)
        return
    print(f"operation {operation['id']}  {operation['kind']}  {operation['state']}")
    if operation.get("error"):
        print(f"  {operation['error']}")
    receipt = operation.get("receipt")
    if receipt:
        _print_receipt(receipt)


def _print_receipt(receipt: Mapping[str, Any]) -> None:
    for plugin in receipt["plugins"]:
        old, new = plugin["old_version"] or "nothing", plugin["new_version"] or "nothing"
        print(
            f"  {plugin['plugin']}: {old} → {new}, "
            f"config {plugin['old_config_version']} → {plugin['new_config_version']}"
        )
    print(
        f"  in flight at the flip: {receipt['in_flight']}   drained in: "
        f"{receipt['drained_ms']:.1f} ms   cancelled: {receipt['cancelled']}   "
        f"dropped: {receipt['dropped']}"
    )
