"""Making a bundle."""

from __future__ import annotations

import hashlib
import io
import tarfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.artifacts.signing import sign
from plugbay.kernel import Invalid
from plugbay.km._tiers import TIERS, permits
from plugbay.km._validation import check_file
from plugbay.km.bundle._contents import (
    BUNDLE,
    CONFIG,
    EMPTY,
    INDEX,
    MANIFEST,
    PROGRAM,
    SIGNATURE,
    Contents,
    Descriptor,
    Part,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from plugbay.km._discovery import Found


def make(
    target: Path,
    plugins: Sequence[Found],
    key: Ed25519PrivateKey | RSAPrivateKey,
    *,
    customer: str,
    tier: str,
    now: float,
    expires: float,
) -> Contents:
    """Write a bundle to `target`. Raises `Invalid`; then there is none.

    Nothing that needs a higher tier than the customer's goes into it.
    """
    if tier not in TIERS:
        raise Invalid(f"there is no tier {tier!r}, only {', '.join(TIERS)}")
    if not plugins:
        raise Invalid("a bundle needs a plugin")
    archive = _Archive(now)
    layers: list[Descriptor] = []
    parts: list[Part] = []
    for one in plugins:
        _check(one, tier)
        layers.append(archive.add(one.path.read_bytes(), PROGRAM))
        digest = layers[-1].hex
        signature = sign(one.path.name, digest, key, now=now, expires=expires)
        parts.append(_part(one, digest, signature.encode().decode()))
    if len({part.name for part in parts}) < len(parts):
        raise Invalid("two of the plugins have one name")
    contents = Contents(
        customer=customer,
        tier=tier,
        created=_stamp(now),
        expires=_stamp(expires),
        plugins=tuple(parts),
    )
    config = archive.add(msgspec.json.encode(contents), CONFIG)
    manifest = archive.manifest(BUNDLE, config, layers)
    envelope = sign(f"bundle for {customer}", manifest.hex, key, now=now, expires=expires)
    signature_layer = archive.add(envelope.encode(), SIGNATURE)
    empty = archive.add(b"{}", EMPTY)
    signed = archive.manifest(SIGNATURE, empty, [signature_layer], subject=manifest)
    archive.write(target, [manifest, signed])
    return contents


def _check(one: Found, tier: str) -> None:
    if one.problem or not permits(one.tier, tier):
        why = one.problem or f"it needs the tier {one.tier}, the customer has {tier}"
        raise Invalid(f"{one.name}: {why}")
    try:
        check_file(one.path)
    except Invalid as error:
        raise Invalid(f"{one.path}: {error.detail}") from None


class _Archive:
    """Blobs on their way into a tar archive, which is the same for the same content and time."""

    def __init__(self, now: float) -> None:
        self._now = int(now)
        self._blobs: dict[str, bytes] = {}

    def add(self, content: bytes, kind: str) -> Descriptor:
        digest = hashlib.sha256(content).hexdigest()
        self._blobs[digest] = content
        return Descriptor(mediaType=kind, digest=f"sha256:{digest}", size=len(content))

    def manifest(
        self,
        kind: str,
        config: Descriptor,
        layers: Sequence[Descriptor],
        subject: Descriptor | None = None,
    ) -> Descriptor:
        content: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": kind,
            "config": config,
            "layers": layers,
        }
        if subject is not None:
            content["subject"] = subject
        return self.add(msgspec.json.encode(content), MANIFEST)

    def write(self, target: Path, manifests: Sequence[Descriptor]) -> None:
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        files = {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": msgspec.json.encode(index),
            **{f"blobs/sha256/{name}": blob for name, blob in sorted(self._blobs.items())},
        }
        fresh = target.with_name(f"{target.name}.new")
        with tarfile.open(fresh, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mtime, member.mode = len(content), self._now, 0o644
                tar.addfile(member, io.BytesIO(content))
        fresh.replace(target)


def _part(one: Found, digest: str, signature: str) -> Part:
    return Part(
        name=one.name,
        version=one.version,
        tier=one.tier,
        sha256=digest,
        signature=signature,
        description=one.description,
        author=one.author,
    )


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
