"""Components and what needs what, collected into a document's two lists."""

from __future__ import annotations

from typing import Any


class Parts:
    """The components of a document, each once, and its dependency graph."""

    def __init__(self, root: str) -> None:
        self.components: list[dict[str, Any]] = []
        self._needs: dict[str, list[str]] = {root: []}

    def __contains__(self, ref: str) -> bool:
        return ref in self._needs

    def add(
        self,
        needed_by: str,
        *,
        name: str,
        version: str,
        purl: str,
        properties: dict[str, str],
        **more: Any,
    ) -> str:
        """Add a component, if it is not there yet, and who needs it; returns its reference."""
        if purl not in self._needs:
            self._needs[purl] = []
            component = {"type": "library", "bom-ref": purl, "name": name}
            if version:
                component["version"] = version
            told = [{"name": key, "value": value} for key, value in properties.items() if value]
            self.components.append({**component, "purl": purl, **more})
            if told:
                self.components[-1]["properties"] = told
        if purl not in self._needs[needed_by]:
            self._needs[needed_by].append(purl)
        return purl

    def dependencies(self) -> list[dict[str, Any]]:
        """The graph as CycloneDX writes it."""
        return [{"ref": ref, "dependsOn": sorted(on)} for ref, on in self._needs.items()]
