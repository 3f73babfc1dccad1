"""Package URLs (purl specification 1.0): how a component is named in every ecosystem."""

from __future__ import annotations

from urllib.parse import quote, unquote

from packaging.utils import canonicalize_name

_KEPT = ".-_~:"


def pypi(name: str, version: str = "") -> str:
    """Return the purl of a Python distribution; its name is the normal one (PEP 503)."""
    return _with_version(f"pkg:pypi/{quote(canonicalize_name(name), safe=_KEPT)}", version)


def golang(path: str, version: str = "") -> str:
    """Return the purl of a Go module. The specification has its namespace in lower case."""
    segments = [quote(segment, safe=_KEPT) for segment in path.lower().split("/") if segment]
    return _with_version(f"pkg:golang/{'/'.join(segments)}", version)


def read(purl: str) -> tuple[str, str, str] | None:
    """Return type, name (with its namespace) and version; None if it is not a purl."""
    scheme, colon, rest = purl.partition(":")
    if not colon or scheme.lower() != "pkg":
        return None
    kind, slash, rest = rest.lstrip("/").partition("/")
    path = rest.partition("#")[0].partition("?")[0]
    name, at, version = path.rpartition("@")
    if not at:
        name, version = path, ""
    name = unquote(name.strip("/"))
    return (kind.lower(), name, unquote(version)) if slash and name else None


def _with_version(purl: str, version: str) -> str:
    return f"{purl}@{quote(version, safe=_KEPT)}" if version else purl
