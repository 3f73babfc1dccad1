"""`plugbay doctor` and `km doctor`: what is amiss here."""

from __future__ import annotations

from typing import Annotated

import typer

from plugbay.cli._options import URL, Output, Url
from plugbay.cli._output import Format, print_json

MARKS = {"ok": "✓", "warning": "⚠", "failed": "✗"}


def doctor(
    url: Url = URL,
    gateway: Annotated[
        bool, typer.Option("--gateway", help="A gateway must answer at --url.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Check folders, key, signatures, extras and the gateway. Exit code 1 if a check fails."""
    from plugbay.app.doctor import examine

    findings = examine(url, gateway=gateway)
    if output is Format.JSON:
        print_json([finding.plain() for finding in findings])
    else:
        width = max(len(finding.check) for finding in findings)
        for one in findings:
            print(f"{MARKS[one.result]} {one.check:{width}}  {one.detail}")
            if one.remedy:
                print(f"  {'':{width}}  {one.remedy}")
    if any(finding.result == "failed" for finding in findings):
        raise typer.Exit(1)
