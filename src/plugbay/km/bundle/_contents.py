"""What a bundle says of itself."""

from __future__ import annotations

from dataclasses import dataclass

BUNDLE = "application/vnd.plugbay.bundle.v1"
CONFIG = "application/vnd.plugbay.bundle.config.v1+json"
PROGRAM = "application/vnd.plugbay.km.plugin.v1"
SIGNATURE = "application/vnd.dsse.envelope.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One plugin: its program by SHA-256, and the publisher's signature of it (DSSE, as JSON)."""

    name: str
    version: str
    tier: str
    sha256: str
    signature: str
    description: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The configuration of the bundle's manifest. Times are as in RFC 3339."""

    customer: str
    tier: str
    created: str
    expires: str
    plugins: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A reference to a blob (OCI Image Specification 1.1, descriptor)."""

    mediaType: str
    digest: str
    size: int

    @property
    def hex(self) -> str:
        """The SHA-256, without its name."""
        return self.digest.removeprefix("sha256:")
