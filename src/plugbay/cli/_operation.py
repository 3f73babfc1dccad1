"""Asking for a change, following it to its end, and drawing its receipt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from plugbay.cli._output import Format, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.cli._client import AdminClient

FAILED = ("failed", "rolled_back", "cancelled")
COMMITTED = ("draining", "succeeded")
NO_ANSWER = 3


def make_change(
    client: AdminClient,
    method: str,
    path: str,
    content: Mapping[str, Any] | None = None,
    *,
    reason: str,
    wait: float,
    tag: str | None = None,
    query: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Ask for a change and return its operation, as it is when it ended or `wait` is over.

    `tag` is the entity tag of what is to change, as it was seen. Raises `ApiError` if it is
    refused or fails.
    """
    how = {**(query or {}), **({"reason": reason} if reason else {})}
    if wait > 0:
        how |= {"wait": "finished", "timeout": f"{wait:g}"}
    headers = {} if tag is None else {"if-match": tag}
    reply = client.call(method, path, content, query=how, headers=headers)
    operation: dict[str, Any] = reply.json
    return operation


def finish(operation: Mapping[str, Any], output: Format, *, wait: float) -> None:
    """Print an operation, and exit as it went."""
    if output is Format.JSON:
        print_json(operation)
    else:
        print_operation(operation)
    conclude(operation, wait=wait)


def conclude(operation: Mapping[str, Any], *, wait: float) -> None:
    """Raise `typer.Exit` unless the change was made, or nobody waits for it."""
    state, id = operation["state"], operation["id"]
    if state in FAILED:
        raise typer.Exit(1)
    if wait > 0 and state not in COMMITTED:
        print(
            f"plugbay: {id} is still {state} after {wait:g} s, and goes on; --wait longer",
            file=sys.stderr,
        )
        raise typer.Exit(NO_ANSWER)


def print_operation(operation: Mapping[str, Any]) -> None:
    """Print an operation for people and, if it has ended, its receipt."""
    print(f"operation {operation['id']}  {operation['kind']}  {operation['state']}")
    if operation.get("error"):
        print(f"  {operation['error']}")
    receipt = operation.get("receipt")
    if receipt:
        _print_receipt(receipt)


def _print_receipt(receipt: Mapping[str, Any]) -> None:
    for change in receipt["changes"]:
        old, new = change["old_version"] or "nothing", change["new_version"] or "nothing"
        line = f"  {change['plugin']}: {old} → {new}"
        configs = change["old_config_version"], change["new_config_version"]
        if all(configs):
            line += f", config {configs[0]} → {configs[1]}"
        print(line)
    totals = receipt["totals"]
    if receipt["changes"]:
        print(
            f"  in flight at the flip: {totals['in_flight']}   drained in: "
            f"{totals['drained_ms']:.1f} ms   cancelled: {totals['cancelled']}   "
            f"dropped: {totals['dropped']}"
        )
    for report in receipt["workers"]:
        for problem in report["problems"]:
            print(f"  {report['worker']}: {report['plugin']}: {problem}")
    if receipt["why"]:
        print(f"  {receipt['why']}")
