"""What commands print: tables for people, JSON for programs, one line for a refusal."""

from __future__ import annotations

import enum
import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Format(enum.StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


def print_json(value: object) -> None:
    """Print `value` as indented JSON."""
    print(json.dumps(value, indent=2, sort_keys=False, default=str))


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], output: Format, *, empty: str
) -> None:
    """Print one row for each mapping, with the columns named; all of it with JSON."""
    rows = list(rows)
    if output is Format.JSON:
        print_json(rows)
        return
    if not rows:
        print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " ").upper(), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    # Piped output is not broken into lines: other programs read it.
    Console(width=None if sys.stdout.isatty() else 400, soft_wrap=False).print(table)


def print_facts(facts: Mapping[str, Any], output: Format) -> None:
    """Print one thing: a fact a line."""
    if output is Format.JSON:
        print_json(facts)
        return
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):{width}}  {_cell(value)}")


def print_problem(problem: Mapping[str, Any]) -> None:
    """Print a refusal to standard error: one line, then each thing that is wrong."""
    title, detail = problem.get("title", "refused"), problem.get("detail", "")
    print(f"plugbay: {title}{': ' if detail else ''}{detail}", file=sys.stderr)
    for error in problem.get("errors", ()):
        print(f"  {_error(error)}", file=sys.stderr)


def _error(error: Mapping[str, Any]) -> str:
    where, detail = error.get("pointer", ""), error.get("detail", "")
    line = f"{where}: {detail}" if where else str(detail)
    for name in ("expected", "found"):
        if error.get(name):
            line += f"; {name} {error[name]}"
    return f"{line}. {error['remedy']}" if error.get("remedy") else line


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=str) if value else "-"
    return str(value)
