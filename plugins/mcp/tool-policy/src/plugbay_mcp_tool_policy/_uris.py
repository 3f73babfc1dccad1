"""URIs as a server may read them: what `..`, percent-encoding and another case come to.

A rule that compares text alone would let `file:///srv/../etc/passwd` through `file:///srv/*`.
"""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable


def plain_uri(uri: str) -> str:
    """Return a URI, or a pattern of URIs, in the form to which others that mean the same come (RFC
    3986, 6.2.2): decoded, in lower case as far as case does not count, and without dot segments."""
    scheme, colon, rest = uri.partition(":")
    if not colon:
        return uri
    scheme, rest = scheme.lower(), unquote(rest).replace("\\", "/")
    if scheme == "file" and rest.startswith("/") and not rest.startswith("//"):
        rest = f"//{rest}"
    if not rest.startswith("//"):
        return f"{scheme}:{rest}"
    host, slash, path = rest[2:].partition("/")
    host = host.lower()
    if scheme == "file" and host == "localhost":
        host = ""
    return f"{scheme}://{host}{slash}{_without_dots(path)}"


def allows(uri: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern names a URI, as it is written and as it is read."""
    plain = plain_uri(uri)
    return any(fnmatchcase(uri, one) and fnmatchcase(plain, plain_uri(one)) for one in patterns)


def denies(uri: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern names a URI, as it is written or as it is read."""
    plain = plain_uri(uri)
    return any(fnmatchcase(uri, one) or fnmatchcase(plain, plain_uri(one)) for one in patterns)


def _without_dots(path: str) -> str:
    if not path:
        return ""
    # Of `//` and more at the beginning `normpath` would keep two.
    plain = posixpath.normpath("/" + path.lstrip("/")).lstrip("/")
    return f"{plain}/" if plain and path.endswith("/") else plain
