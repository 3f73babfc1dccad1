"""The layer `manifest` of a binary: what came with the upload makes sense, and fits the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugbay.artifacts._claims import check_claims
from plugbay.artifacts._finding import Finding
from plugbay.artifacts._shape import shape_problems
from plugbay.kernel import convert
from plugbay.sdk import API, Manifest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from plugbay.artifacts._layer import Subject
    from plugbay.kernel import Problem

RUNTIMES = {"executable": "process", "shared-object": "goso"}
_ENTRIES = {"process": "plugbay", "goso": "New"}
_PROVIDES = ("request-filter", "response-filter")
"""What a binary does whose manifest does not say: it sees requests and responses."""
DIALECTS = ("plugbay", "km", "hkp")


class DeclaredManifest:
    """Reads the declaration; every unknown, missing or wrong key is reported at once.

    `runtimes` are those switched on. `described` says that a program without a declaration
    will be asked for its manifest when it is tried.
    """

    name = "manifest"
    eager = True

    def __init__(
        self,
        runtimes: Collection[str],
        *,
        described: bool = False,
        apis: Collection[int] = (API,),
    ) -> None:
        self._runtimes, self._described, self._apis = runtimes, described, apis

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Check the declaration and keep the manifest in the subject."""
        if subject.declaration is None or subject.declaration.empty:
            return [self._none(subject)]
        try:
            raw = subject.declaration.document()
        except ValueError as error:
            detail = "the manifest is no TOML 1.0 in UTF-8"
            return [Finding("/", detail, found=str(error)[:200], remedy="correct plugbay.toml")]
        return list(self._findings(raw, subject))

    def _none(self, subject: Subject) -> Problem:
        if subject.kind == "executable" and self._described:
            detail = "no manifest came with the upload: the program will be asked for it"
            return Finding("/", detail, remedy="nothing to mend", severity="info")
        return Finding(
            "/",
            "a binary carries no manifest: it has to come with the upload",
            expected="the text of a plugbay.toml in the form's field `manifest`",
            found="none",
            remedy=f"plugbay plugin push {subject.filename} --manifest plugbay.toml",
        )

    def _findings(self, raw: dict[str, Any], subject: Subject) -> Iterator[Problem]:
        fitting = RUNTIMES[subject.kind]
        raw.setdefault("entry", _ENTRIES.get(str(raw.get("runtime")), ""))
        raw.setdefault("provides", list(_PROVIDES))
        wrong = list(shape_problems(raw, Manifest, ""))
        yield from wrong
        if wrong:
            return
        manifest = convert(raw, Manifest, what="plugbay.toml")
        found = [*self._here(manifest, fitting), *check_claims(manifest, None, frozenset())]
        yield from found
        if not found:
            subject.manifest = manifest

    def _here(self, manifest: Manifest, fitting: str) -> Iterator[Finding]:
        """Compare the manifest with the file's kind and with this gateway."""
        if manifest.runtime != fitting:
            detail, remedy = "not the runtime of such a file", f'set runtime = "{fitting}"'
            yield Finding("/runtime", detail, fitting, manifest.runtime, remedy)
        elif manifest.runtime not in self._runtimes:
            known = ", ".join(sorted(self._runtimes)) or "none for such files"
            remedy = "install what it needs, or use a gateway that has it"
            yield Finding("/runtime", "not available here", known, manifest.runtime, remedy)
        if manifest.api not in self._apis:
            supported = ", ".join(map(str, sorted(self._apis)))
            remedy = "build it for this gateway's API, or upgrade the gateway"
            yield Finding("/api", "unknown API version", supported, str(manifest.api), remedy)
        yield from _entry(manifest)


def _entry(manifest: Manifest) -> Iterator[Finding]:
    if manifest.runtime == "process" and manifest.entry not in DIALECTS:
        expected = "one of " + ", ".join(DIALECTS)
        found, remedy = manifest.entry[:200], "name the protocol that the program speaks"
        yield Finding("/entry", "no dialect of the plugin protocol", expected, found, remedy)
    if manifest.runtime == "goso" and not _exported(manifest.entry):
        remedy = 'name the exported constructor, e.g. entry = "New"'
        yield Finding("/entry", "no exported Go name", "e.g. New", manifest.entry[:200], remedy)


def _exported(name: str) -> bool:
    return name.isascii() and name.isidentifier() and name[0].isupper()
