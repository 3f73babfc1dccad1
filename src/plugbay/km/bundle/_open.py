"""Opening a bundle: nothing in it counts before its signature does."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from plugbay.artifacts.signing import Envelope, verify
from plugbay.kernel import Invalid, Malformed
from plugbay.km.bundle._contents import BUNDLE, SIGNATURE, Contents, Descriptor

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts.signing import Trust

_LARGEST_TEXT, _LARGEST_PROGRAM = 1 << 20, 512 << 20
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle whose signature and whose programs are good: what is in it, and whose it is."""

    contents: Contents
    publisher: str
    path: Path

    def program(self, sha256: str) -> bytes:
        """Return a program. Raises `Malformed` if it is not there, or another."""
        with _opened(self.path) as tar:
            return _blob(tar, sha256, _LARGEST_PROGRAM)


def open_bundle(path: Path, trust: Trust, *, now: float) -> Opened:
    """Verify a bundle and read what it says. Raises `Malformed`; `Invalid` for its signature."""
    with _opened(path) as tar:
        index = _decode(_member(tar, "index.json", _LARGEST_TEXT), dict[str, Any])
        described = msgspec.json.encode(index.get("manifests", ()))
        manifests: dict[str, tuple[Descriptor, dict[str, Any]]] = {}
        for descriptor in _decode(described, tuple[Descriptor, ...]):
            content = _decode(_blob(tar, descriptor.hex, _LARGEST_TEXT), dict[str, Any])
            manifests[str(content.get("artifactType"))] = descriptor, content
        if BUNDLE not in manifests or SIGNATURE not in manifests:
            raise Malformed("the archive is no signed bundle")
        descriptor, manifest = manifests[BUNDLE]
        (layer,) = _descriptors(manifests[SIGNATURE][1], 1)
        envelope = Envelope.parse(_blob(tar, layer.hex, _LARGEST_TEXT))
        found = verify(envelope, descriptor.hex, trust, now=now)
        if not found.publisher:
            raise Invalid(f"the bundle cannot be trusted: {'; '.join(found.problems)}")
        config = _decode(msgspec.json.encode(manifest.get("config")), Descriptor)
        contents = _decode(_blob(tar, config.hex, _LARGEST_TEXT), Contents)
        listed = {layer.hex for layer in _descriptors(manifest)}
        if {part.sha256 for part in contents.plugins} != listed:
            raise Malformed("the bundle's manifest lists other programs than its configuration")
        for hex in listed:
            _blob(tar, hex, _LARGEST_PROGRAM)
    return Opened(contents, found.publisher, path)


def _opened(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:")
    except (OSError, tarfile.TarError) as error:
        raise Malformed(f"{path} cannot be read as a bundle: {error}") from error


def _blob(tar: tarfile.TarFile, sha256: str, largest: int) -> bytes:
    content = _member(tar, f"blobs/sha256/{sha256}", largest)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Malformed(f"the blob {sha256[:16]} has another content")
    return content


def _member(tar: tarfile.TarFile, name: str, largest: int) -> bytes:
    """Read a member; nothing is ever extracted, so its name and kind can do no harm."""
    try:
        member = tar.getmember(name)
        file = tar.extractfile(member) if member.isreg() and member.size <= largest else None
        content = None if file is None else file.read()
    except (KeyError, OSError, tarfile.TarError) as error:
        raise Malformed(f"the bundle has no {name}: {error}") from error
    if content is None:
        raise Malformed(f"the bundle's {name} is no file, or larger than {largest} bytes")
    return content


def _descriptors(manifest: dict[str, Any], count: int | None = None) -> tuple[Descriptor, ...]:
    found = _decode(msgspec.json.encode(manifest.get("layers")), tuple[Descriptor, ...])
    if count is not None and len(found) != count:
        raise Malformed(f"the bundle's manifest has {len(found)} layers, not {count}")
    return found


def _decode(raw: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError as error:
        raise Malformed(f"the bundle cannot be read: {error}") from error
