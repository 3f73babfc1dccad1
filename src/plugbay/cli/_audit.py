"""`plugbay audit …`: is the record of who did what whole, and a copy of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugbay.cli._commands import Commands
from plugbay.cli._files import UserFile, target, user_folder
from plugbay.cli._options import URL, Token, Url
from plugbay.cli._session import Target
from plugbay.kernel import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.admin.audit import SignedHead, Verdict

# The admin package is loaded where it is needed: the other commands start without it.

DataDir = Annotated[
    Path | None,
    typer.Option(help="Read the data directory itself, of a gateway that runs or does not."),
]
Anchor = Annotated[
    list[Path] | None,
    typer.Option(help="Compare with a copy of audit-anchor.json, kept elsewhere. Repeatable."),
]


def verify_(
    file: Annotated[Path | None, typer.Argument(help="An export to verify.")] = None,
    data_dir: DataDir = None,
    anchor: Anchor = None,
    public_key: Annotated[
        str, typer.Option(help="The gateway's audit key in hex; else the anchor's own is taken.")
    ] = "",
    url: Url = URL,
    token: Token = "",
) -> None:
    """Verify the audit log: ask the gateway, or look at its data directory or at an export."""
    import msgspec

    from plugbay.admin.audit import StoppedLog, Verdict, verify

    anchors = [_anchor(path) for path in anchor or ()]
    if file is not None:
        verdict = _verify_export(file, anchors, public_key)
    elif data_dir is not None:
        log = StoppedLog(_data_dir(data_dir))
        try:
            verdict = verify(log, data_dir, *anchors)
        finally:
            log.close()
    else:
        reply = Target(url, token).client().call("GET", "/audit/verification")
        verdict = msgspec.convert(reply.json, Verdict)
    _say(verdict)


def export(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", "-f", help="The file to write; default: standard output."),
    ] = None,
    data_dir: DataDir = None,
    url: Url = URL,
    token: Token = "",
) -> None:
    """Write all records as lines of JSON, the oldest first."""
    from plugbay.admin.audit import StoppedLog, export_line, pages

    if output is not None:
        output = target(output, "--output")
    if data_dir is None:
        reply = Target(url, token).client().call("GET", "/audit/export")
        _write(output, [reply.body])
        return
    log = StoppedLog(_data_dir(data_dir))
    try:
        _write(output, (export_line(one) for records in pages(log) for one in records))
    finally:
        log.close()


def build() -> typer.Typer:
    """Return the group of commands."""
    group = Commands("Who did what, and whether that record is whole.")
    group.add("verify", verify_, "plugbay audit verify", "plugbay audit verify audit.jsonl")
    group.add("export", export, "plugbay audit export --output audit.jsonl")
    return group


def _verify_export(file: Path, anchors: list[SignedHead], public_key: str) -> Verdict:
    from plugbay.admin.audit import Verification, read_export

    try:
        key = bytes.fromhex(public_key) or (anchors[0].public_key if anchors else b"")
    except ValueError:
        raise Invalid("--public-key is not hexadecimal") from None
    begun = Verification(tuple(anchors), key)
    path = UserFile(file, "FILE", "an export of the audit log").check()
    with path.open("rb") as lines:
        begun.take(read_export(iter(lines)))
    return begun.verdict()


def _anchor(path: Path) -> SignedHead:
    from plugbay.admin.audit import SignedHead

    return UserFile(path, "--anchor", "a copy of audit-anchor.json").load(SignedHead.decode)


def _data_dir(path: Path) -> Path:
    return user_folder(path, "--data-dir", "the data directory of a gateway")


def _write(output: Path | None, lines: Iterable[bytes]) -> None:
    if output is None:
        sys.stdout.buffer.writelines(lines)
        sys.stdout.buffer.flush()
        return
    with output.open("wb") as file:
        file.writelines(lines)
    print(f"written to {output}")


def _say(verdict: Verdict) -> None:
    for finding in verdict.findings:
        print(f"{finding.kind}: {finding.detail}")
    if not verdict.intact:
        raise Conflict(f"the audit log was touched: {len(verdict.findings)} findings")
    print(f"intact: {verdict.records} records, the last is {verdict.sequence} ({verdict.hash})")
