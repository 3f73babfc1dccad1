"""Paths that can be read in two ways, and the reading that a route wants.

An escaped slash (`%2F`) is a slash to some upstreams and a letter to others; an empty segment
(`//`) is nothing to some and a name to others. As a rule the former is refused and the latter
dropped. A route may want them otherwise, as Envoy calls it by `path_with_escaped_slashes_action`
and `merge_slashes`. Such a request must come to that route in its strictest reading and in the
one that is sent: else it could walk round what another route is guarded by.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from plugbay.gateway.message._paths import CONTROLS, normal_escapes

if TYPE_CHECKING:
    from plugbay.gateway._spec import RouteSpec

_DOTS = frozenset((b".", b".."))
_SLASHES = re.compile(rb"//+")


class Spelling:
    """A path with escaped slashes or empty segments, and its query."""

    __slots__ = ("_path", "_query", "escaped")

    def __init__(self, path: bytes, query: bytes) -> None:
        self._path, self._query = path, query
        self.escaped = b"%2F" in path
        """Whether it has escaped slashes: such a path is only for a route that wants it."""

    @property
    def strict(self) -> bytes:
        """The target as the upstream reads it that makes the most of its slashes."""
        return self._target(escaped=False, doubled=False)

    def wanted(self, route: RouteSpec) -> bytes | None:
        """Return the target as `route` wants it; None if it refuses it."""
        wish = route.escaped_slashes
        if self.escaped and wish == "reject":
            return None
        return self._target(escaped=wish == "keep", doubled=not route.merge_slashes)

    def _target(self, *, escaped: bool, doubled: bool) -> bytes:
        path = self._path if escaped else self._path.replace(b"%2F", b"/")
        return (path if doubled else _SLASHES.sub(b"/", path)) + self._query


def spelling(target: bytes) -> Spelling | None:
    """Return the spelling of an origin-form target, if its path can be read in two ways.

    None also for what is refused, or resolved, whatever a route wants: beside a dot segment the
    readings would differ in more than slashes.
    """
    path, query = normal_escapes(target, CONTROLS)
    if path is None or (b"%2F" not in path and b"//" not in path):
        return None
    segments = path.replace(b"%2F", b"/").split(b"/")
    if any(segment.partition(b";")[0] in _DOTS for segment in segments):
        return None
    return Spelling(path, query)
