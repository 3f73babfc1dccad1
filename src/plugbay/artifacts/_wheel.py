"""The wheel's own statements: its file name, METADATA and WHEEL (PEP 427, core metadata)."""

from __future__ import annotations

from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import Version

from plugbay.artifacts._artifact import WheelMetadata
from plugbay.artifacts._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message

_LONGEST = 255


@dataclass(frozen=True, slots=True)
class WheelName:
    """What a wheel's file name says."""

    name: str
    version: Version


def parse_name(filename: str) -> tuple[WheelName | None, list[Finding]]:
    """Parse a wheel's file name, or say what is wrong with it."""
    try:
        if len(filename) > _LONGEST or "/" in filename or "\\" in filename:
            raise InvalidWheelFilename(f"{filename[:_LONGEST]!r} is no plain file name")
        name, version, _, _ = parse_wheel_filename(filename)
    except ValueError as error:
        finding = Finding(
            "form",
            "the file name is not that of a wheel (PEP 427)",
            expected="e.g. plugbay_hello-1.0.0-py3-none-any.whl",
            found=str(error),
            remedy="upload the file under the name that the build gave it",
        )
        return None, [finding]
    return WheelName(str(name), version), []


def find_dist_info(files: Iterable[str], name: WheelName | None) -> tuple[str, list[Finding]]:
    """Return the one `*.dist-info` directory; it must be named like the file."""
    found = sorted({top for file in files if (top := file.split("/")[0]).endswith(".dist-info")})
    if len(found) != 1:
        return "", [
            Finding(
                "form",
                "the wheel needs exactly one .dist-info directory",
                expected="<name>-<version>.dist-info",
                found=", ".join(found) or "none",
                remedy="build the wheel with `plugbay plugin build`",
            )
        ]
    if name is not None and not _same(found[0].removesuffix(".dist-info"), name):
        return found[0], [
            Finding(
                "form",
                "the .dist-info directory belongs to another wheel",
                expected=f"{name.name}-{name.version}.dist-info",
                found=found[0],
                remedy="upload the file under the name that the build gave it",
            )
        ]
    return found[0], []


def read_metadata(metadata: bytes, wheel: bytes) -> tuple[WheelMetadata | None, list[Finding]]:
    """Read METADATA and WHEEL, or say everything that is wrong with them."""
    core, form = _parse(metadata), _parse(wheel)
    findings = [
        Finding("form", f"{file} has no {field}", expected=f"{field}: …", remedy=_REBUILD)
        for file, message, field in (
            ("METADATA", core, "Metadata-Version"),
            ("METADATA", core, "Name"),
            ("METADATA", core, "Version"),
            ("WHEEL", form, "Wheel-Version"),
            ("WHEEL", form, "Tag"),
        )
        if not _one(message, field)
    ]
    if _one(form, "Wheel-Version").split(".")[0] not in ("", "1"):
        found = _one(form, "Wheel-Version")
        findings.append(Finding("form", "unknown Wheel-Version", expected="1.x", found=found))
    if findings:
        return None, findings
    return _collected(core, form), []


def check_names(metadata: WheelMetadata, name: WheelName) -> list[Finding]:
    """Compare METADATA with the file name."""
    try:
        same_version = Version(metadata.version) == name.version
    except ValueError:  # InvalidVersion, and a number too long for Python
        same_version = False
    wrong = {
        "Name": (canonicalize_name(metadata.name) == name.name, name.name, metadata.name),
        "Version": (same_version, str(name.version), metadata.version),
    }
    return [
        Finding(
            "form",
            f"METADATA has another {field} than the file name",
            expected=expected,
            found=found,
            remedy="upload the file under the name that the build gave it",
        )
        for field, (right, expected, found) in wrong.items()
        if not right
    ]


_REBUILD = "build the wheel with `plugbay plugin build`"


def _same(stem: str, name: WheelName) -> bool:
    other, _, version = stem.partition("-")
    try:
        return canonicalize_name(other) == name.name and Version(version) == name.version
    except ValueError:  # InvalidVersion, and a number too long for Python
        return False


def _parse(raw: bytes) -> Message:
    return HeaderParser().parsestr(raw.decode("utf-8", "replace"))


def _one(message: Message, field: str) -> str:
    return str(message.get(field, "")).strip()


def _all(message: Message, field: str) -> tuple[str, ...]:
    return tuple(str(value).strip() for value in message.get_all(field, ()))


def _collected(core: Message, form: Message) -> WheelMetadata:
    return WheelMetadata(
        name=_one(core, "Name"),
        version=_one(core, "Version"),
        summary=_one(core, "Summary"),
        author=_one(core, "Author") or _one(core, "Author-email"),
        license=_one(core, "License-Expression") or _one(core, "License"),
        requires_python=_one(core, "Requires-Python"),
        requires_dist=_all(core, "Requires-Dist"),
        tags=_all(form, "Tag"),
        pure=_one(form, "Root-Is-Purelib").lower() == "true",
        generator=_one(form, "Generator"),
    )
