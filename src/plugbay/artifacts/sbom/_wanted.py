"""What somebody looks for: a component's name, and versions of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from plugbay.artifacts.sbom._semver import Range
from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from plugbay.artifacts.sbom._part import Part

_LONGEST = 200


class Wanted:
    """A search. Raises `Invalid` for a version specifier that nobody could read.

    A name is that of PyPI in any spelling, or a whole Go module path, without regard to case; it
    may end in `*`. Versions are asked for by PEP 440 (`<2.32,!=2.31.1`) for PyPI, and by Semantic
    Versioning for the rest (`<v1.2.3`); a version without an operator is that one.
    """

    def __init__(self, name: str, versions: str = "") -> None:
        _check("/name", name, "a name such as requests or golang.org/x/net")
        self._open = name.endswith("*")
        plain = name.removesuffix("*").strip()
        self._name = plain.lower()
        # The end of an open name may be the middle of the real one.
        self._python = canonicalize_name(f"{plain}x")[:-1] if plain else ""
        self._any = not versions.strip()
        self._pep440, self._range = _read(versions) if not self._any else (None, None)

    def names(self, part: Part) -> bool:
        """Whether this is the component, whatever its version."""
        name = self._python if part.ecosystem == "pypi" else self._name
        return part.key.startswith(name) if self._open else part.key == name

    def includes(self, part: Part) -> bool | None:
        """Whether its version is asked for; None if nobody can say: it has none, or another
        kind of one."""
        if self._any:
            return True
        if not part.version:
            return None
        try:
            if part.ecosystem == "pypi":
                if self._pep440 is None:
                    return None
                return self._pep440.contains(Version(part.version), prereleases=True)
            return None if self._range is None else self._range.contains(part.version)
        except ValueError:  # InvalidVersion
            return None


def _read(versions: str) -> tuple[SpecifierSet | None, Range | None]:
    _check("/version", versions, "specifiers such as <2.32")
    clauses = [clause.strip() for clause in versions.split(",")]
    try:
        said = ",".join(clause if clause[:1] in "<>=!~" else f"=={clause}" for clause in clauses)
        pep440 = SpecifierSet(said)
    except ValueError:  # InvalidSpecifier
        pep440 = None
    try:
        ranged = Range(versions)
    except ValueError as error:
        if pep440 is None:
            _refuse("/version", str(error), "specifiers such as <2.32 or >=v1.2.0,<v1.4.0")
        ranged = None
    return pep440, ranged


def _check(pointer: str, text: str, expected: str) -> None:
    if not text.strip(" *") or len(text) > _LONGEST:
        _refuse(pointer, f"is empty or longer than {_LONGEST} characters", expected)


def _refuse(pointer: str, detail: str, expected: str) -> NoReturn:
    raise Invalid(
        f"the search cannot be made: {pointer[1:]}: {detail}",
        problems=(Problem(pointer, detail, expected),),
    )
