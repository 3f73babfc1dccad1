"""The upload's form: what Odin's fields say, as a manifest and a note."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast, get_args

import msgspec
from packaging.version import Version

from plugbay.admin._odin._errors import OdinError
from plugbay.admin._odin_notes import Note
from plugbay.artifacts import Declaration, plugin_id
from plugbay.sdk import API, Capability, Manifest, Order, Phase

if TYPE_CHECKING:
    from plugbay.admin._multipart import FilePart
    from plugbay.artifacts import Kind

PRIORITIES = range(1001)
_PRIORITY, _PHASE = 100, "pre-routing"
_RUNTIMES = {"shared-object": ("goso", "New"), "executable": ("process", "plugbay")}
_PROVIDES = "request-filter,response-filter"
_LONGEST = 100
_NUMBER = re.compile(r"\s*([+-]?[0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class OdinForm:
    """The fields, checked. `plugin` is the id that the name becomes."""

    name: str
    version: str
    plugin: str
    description: str
    author: str
    priority: int
    phase: Phase
    routes: tuple[str, ...]
    tags: tuple[str, ...]
    config: dict[str, Any]
    entry: str
    provides: tuple[Capability, ...]

    @classmethod
    def read(cls, part: FilePart) -> OdinForm:
        """Read the fields of a form that was read to its end. Raises `OdinError`."""
        name, version = part.text("name"), part.text("version")
        if not name or not version:
            raise OdinError(HTTPStatus.BAD_REQUEST, "Name and version are required")
        if len(name) > _LONGEST or len(version) > _LONGEST:
            raise _invalid(f"name and version have at most {_LONGEST} characters")
        try:
            Version(version)
        except ValueError:
            raise _invalid(f"{version!r} is no version: write it like 1.0.0") from None
        return cls(
            name=name,
            version=version,
            plugin=_id_of(name),
            description=part.text("description"),
            author=part.text("author"),
            priority=_priority(part.text("priority")),
            phase=_phase(part.text("phase")),
            routes=_listed(part.text("routes")) or ("/*",),
            tags=_listed(part.text("tags")),
            config=_config(part.text("config")),
            entry=part.text("entry"),
            provides=_provides(part.text("provides")),
        )

    def declaration(self, kind: Kind) -> Declaration | None:
        """Return the manifest for a binary; None for what has one inside."""
        if kind not in _RUNTIMES:
            return None
        runtime, entry = _RUNTIMES[kind]
        manifest = Manifest(
            id=self.plugin,
            version=self.version,
            api=API,
            runtime=cast("Any", runtime),
            entry=self.entry or entry,
            summary=self.description[:500],
            provides=self.provides,
            order=Order(phase=self.phase, priority=self.priority),
        )
        return Declaration.of(manifest, self.config or None)

    def note(self, digest: str, now: float) -> Note:
        """Return what else is to be remembered."""
        return Note(
            digest=digest,
            name=self.name,
            version=self.version,
            description=self.description,
            author=self.author,
            tags=self.tags,
            routes=self.routes,
            config=self.config,
            updated_at=now,
        )


def _id_of(name: str) -> str:
    if not (found := plugin_id(name)):
        raise _invalid(f"{name!r} has no letter or digit")
    return found


def _priority(text: str) -> int:
    """Read it as `fmt.Sscanf("%d")` does: what is no number leaves the default."""
    found = _NUMBER.match(text)
    priority = int(found[1][:12]) if found else _PRIORITY
    if priority not in PRIORITIES:
        raise _invalid(f"priority must be between 0 and 1000, not {priority}")
    return priority


def _phase(text: str) -> Phase:
    phase = text or _PHASE
    if phase not in get_args(Phase):
        raise _invalid(f"phase must be one of {', '.join(get_args(Phase))}, not {phase!r}")
    return cast("Phase", phase)


def _provides(text: str) -> tuple[Capability, ...]:
    known = get_args(Capability)
    named = _listed(text or _PROVIDES)
    for name in named:
        if name not in known:
            raise _invalid(f"provides must be some of {', '.join(known)}, not {name!r}")
    return cast("tuple[Capability, ...]", named)


def _config(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _invalid(f"config is no JSON object: {error}") from None


def _listed(text: str) -> tuple[str, ...]:
    parts = (part.strip() for part in text.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _invalid(text: str) -> OdinError:
    return OdinError(HTTPStatus.BAD_REQUEST, f"Plugin validation failed: {text}")
