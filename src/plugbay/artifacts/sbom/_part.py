"""The components of a document, as the search sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from packaging.utils import canonicalize_name

from plugbay.artifacts.sbom import _purl as purl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST = 20_000
_LONGEST = 512


@dataclass(frozen=True, slots=True)
class Part:
    """One component. `ecosystem` is its purl's type (`pypi`, `golang`, …), `name` with the
    namespace; without a purl both are what the document says. The version may be empty."""

    ecosystem: str
    name: str
    version: str
    purl: str = ""

    @property
    def key(self) -> str:
        """The name by which it is found."""
        return canonicalize_name(self.name) if self.ecosystem == "pypi" else self.name.lower()


def parts_of(document: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the components of a CycloneDX document, also nested ones. What is no component is
    passed over: documents that come in wheels are by anybody."""
    todo = _mappings(document.get("components"))
    seen = 0
    while todo and seen < MOST:
        component = todo.pop(0)
        seen += 1
        if part := _part(component):
            yield part
        todo += _mappings(component.get("components"))


def _part(component: Mapping[str, Any]) -> Part | None:
    named = purl.read(_text(component, "purl"))
    version = _text(component, "version")
    if named is not None:
        ecosystem, name, in_purl = named
        return Part(ecosystem, name, version or in_purl, _text(component, "purl"))
    group, name = _text(component, "group"), _text(component, "name")
    return Part("", f"{group}/{name}" if group else name, version) if name else None


def _mappings(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        return []
    items = cast("list[object]", value)
    return [cast("Mapping[str, Any]", one) for one in items if isinstance(one, dict)]


def _text(component: Mapping[str, Any], key: str) -> str:
    value = component.get(key)
    return value if isinstance(value, str) and len(value) <= _LONGEST else ""
