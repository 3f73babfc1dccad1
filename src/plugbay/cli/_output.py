"""What commands print: tables for people, JSON for programs, one line for a refusal."""

from __future__ import annotations

import enum
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


GAP = 2
"""Spaces between the columns of a table."""
NARROWEST = 12
"""Characters to which a column is cut at most."""


class Format(enum.StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


def print_json(value: object) -> None:
    """Print `value` as indented JSON."""
    print(json.dumps(value, indent=2, sort_keys=False, default=str))


def print_rows(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    output: Format,
    *,
    empty: str,
    cut: Sequence[str] = (),
) -> None:
    """Print one row for each mapping, with the columns named; all of it with JSON.

    Cells of the columns in `cut` are cut where a table would be wider than the terminal.
    """
    rows = list(rows)
    if output is Format.JSON:
        print_json(rows)
        return
    if not rows:
        print(empty)
        return
    # Imported here: most commands draw no table, and it takes its time to load.
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " ").upper(), overflow="fold")
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    # Piped output is not broken into lines: other programs read it.
    console = Console(width=None if sys.stdout.isatty() else 400, soft_wrap=False)
    if sys.stdout.isatty():
        fit(cells, [place for place, one in enumerate(columns) if one in cut], console.width)
    for row in cells:
        table.add_row(*map(escape, row))
    console.print(table)


def fit(rows: Sequence[list[str]], cut: Sequence[int], width: int) -> None:
    """Cut cells of some columns, the widest of them most, until the rows fit a width."""
    if not rows:
        return
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    over = sum(widths) + GAP * (len(widths) - 1) - width
    while over > 0 and (place := max(cut, key=widths.__getitem__, default=-1)) >= 0:
        if widths[place] <= NARROWEST:
            break
        widths[place] -= 1
        over -= 1
    for row in rows:
        for place in cut:
            if len(row[place]) > widths[place]:
                row[place] = f"{row[place][: widths[place] - 1].rstrip()}…"


def print_facts(facts: Mapping[str, Any], output: Format) -> None:
    """Print one thing: a fact a line."""
    if output is Format.JSON:
        print_json(facts)
        return
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):{width}}  {_cell(value)}")


def print_problem(problem: Mapping[str, Any], program: str = "plugbay") -> None:
    """Print a refusal to standard error: one line, and one more for each of several reasons."""
    title, detail = problem.get("title", "refused"), problem.get("detail", "")
    line = f"{program}: {title}{': ' if detail else ''}{detail}"
    errors = problem.get("errors", ())
    if len(errors) == 1 and errors[0].get("detail", "") in line:
        line, errors = line + _advice(errors[0]), ()
    print(line, file=sys.stderr)
    for error in errors:
        layer = f"{error['layer']}: " if error.get("layer") else ""
        print(f"  {layer}{error_line(error)}", file=sys.stderr)
    if problem.get("operation"):
        print(f"  operation {problem['operation']} has the details", file=sys.stderr)


def error_line(error: Mapping[str, Any]) -> str:
    """Return one thing that is wrong as a line: where, what, and what to do."""
    where = error.get("pointer") or error.get("parameter")
    return (
        f"{where}: {error['detail']}{_advice(error)}" if where else error["detail"] + _advice(error)
    )


def _advice(error: Mapping[str, Any]) -> str:
    line = "".join(f"; {name} {error[name]}" for name in ("expected", "found") if error.get(name))
    return f"{line}. {error['remedy']}" if error.get("remedy") else line


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=str) if value else "-"
    return str(value)
