"""The parts of a Go binary, as the linker wrote them into it."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from plugbay.artifacts.sbom import _purl as purl
from plugbay.artifacts.sbom._parts import Parts

if TYPE_CHECKING:
    from plugbay.artifacts._go_build import GoBuild, GoModule

STDLIB = "stdlib"
"""What purl calls Go's own packages."""


def go_parts(build: GoBuild, root: str) -> Parts:
    """Return Go itself and every module. Which needs which, a binary does not say."""
    parts = Parts(root)
    version = build.version.removeprefix("go").partition(" ")[0]
    parts.add(
        root,
        name=STDLIB,
        version=version,
        purl=purl.golang(STDLIB, version),
        properties={"plugbay:go:version": build.version},
        description="The Go standard library and runtime",
    )
    for module in build.deps:
        _add(parts, root, module)
    return parts


def _add(parts: Parts, root: str, module: GoModule) -> None:
    used, said = module, {"plugbay:go:sum": module.sum}
    if module.replaced is not None:
        origin = f"{module.path}@{module.version}" if module.version else module.path
        said = {"plugbay:go:sum": module.replaced.sum, "plugbay:go:replaces": origin}
        if module.replaced.path.startswith((".", "/")):  # a directory: no module's name
            said["plugbay:go:replacement"] = "a directory of the builder"
        else:
            used = module.replaced
    # A directory has neither a version nor a sum.
    local = "plugbay:go:replacement" in said
    version, sum_ = ("", "") if local else (used.version, used.sum)
    more: dict[str, Any] = {}
    if content := _sha256(sum_):
        more["hashes"] = [{"alg": "SHA-256", "content": content}]
    parts.add(
        root,
        name=used.path,
        version=version,
        purl=purl.golang(used.path, version),
        properties=said,
        scope="required",
        **more,
    )


def _sha256(sum_: str) -> str:
    """Return an `h1:` sum in hex: the SHA-256 of the list of the module's files, by their own."""
    if not sum_.startswith("h1:"):
        return ""
    try:
        raw = base64.b64decode(sum_.removeprefix("h1:"), validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) == 32 else ""
