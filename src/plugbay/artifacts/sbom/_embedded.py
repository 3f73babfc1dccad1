"""Bills of materials that a wheel brings along: PEP 770, or one file in its package. Blocking."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACES = ("*.dist-info/sboms/*.json", "*/sbom.cdx.json")
_MOST, _LARGEST = 16, 4 * 1024 * 1024
_SPEC = re.compile(r"1\.[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class Embedded:
    """A CycloneDX document as its author wrote it."""

    file: str
    raw: bytes
    spec: str
    document: dict[str, Any]


def read_embedded(payload: Path) -> tuple[list[Embedded], list[str]]:
    """Return the documents of an unpacked wheel, and why others were not taken.

    Other formats of bills (SPDX) are not read; they are among those that were not taken.
    """
    taken: list[Embedded] = []
    ignored: list[str] = []
    for number, path in enumerate(_files(payload)):
        file = path.relative_to(payload).as_posix()
        if number >= _MOST:
            ignored.append(f"{file}: a wheel has at most {_MOST} bills")
            continue
        try:
            taken.append(_read(path, file))
        except (ValueError, RecursionError) as error:
            ignored.append(f"{file}: {str(error)[:200]}")
    return taken, ignored


def _files(payload: Path) -> Iterator[Path]:
    for place in PLACES:
        yield from sorted(path for path in payload.glob(place) if path.is_file())


def _read(path: Path, file: str) -> Embedded:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"is larger than {_LARGEST} bytes")
    raw = path.read_bytes()
    value: Any = json.loads(raw, parse_constant=_refuse)
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")
    document = cast("dict[str, Any]", value)
    spec = document.get("specVersion")
    if document.get("bomFormat") != "CycloneDX":
        raise ValueError("is no CycloneDX document")
    if not isinstance(spec, str) or not _SPEC.fullmatch(spec):
        raise ValueError("has no specVersion of CycloneDX")
    return Embedded(file, raw, spec, document)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
