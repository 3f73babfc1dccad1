"""Sigstore bundles, verified offline: against a trusted root that the operator has given.

A bundle (github.com/sigstore/protobuf-specs, v0.1 to v0.3) has a short-lived certificate of an
identity, and the proof that the signature was in a transparency log while it was valid. Nothing is
asked of a network; what the certificate authority and the log are is in the trusted root.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.artifacts.signing._envelope import (
    LARGEST,
    PAYLOAD_TYPE,
    Envelope,
    other_artifact,
)
from plugbay.artifacts.signing._provenance import Provenance
from plugbay.kernel import ExtraMissing, Invalid, PlugbayError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection
    from os import PathLike

    from sigstore.models import Bundle
    from sigstore.verify import Verifier

    from plugbay.artifacts.signing._publisher import Identity, Publisher

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle"


class SigstoreRoot:
    """The authorities and logs of one Sigstore instance."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    @classmethod
    def read(cls, path: str | PathLike[str]) -> SigstoreRoot:
        """Read a `trusted_root.json`. Raises `ExtraMissing`, and `Invalid` if it is none."""
        require_sigstore()
        from sigstore.errors import Error
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier

        try:
            return cls(Verifier(trusted_root=TrustedRoot.from_file(str(path))))
        except (OSError, ValueError, Error) as error:
            expected = "a trusted_root.json of Sigstore"
            problem = Problem("", str(error), expected=expected, found=str(path))
            raise Invalid(f"{path} is no trusted root of Sigstore", problems=(problem,)) from error

    def verify(
        self,
        raw: bytes,
        digest: str,
        publishers: Collection[Publisher],
        revoked: Collection[str] = (),
    ) -> Provenance:
        """Verify that a bundle is of the artifact with this SHA-256 in hex, and by an identity of
        a publisher. Never raises for what the bundle says."""
        from sigstore.errors import Error
        from sigstore.models import Bundle

        try:
            bundle, told = Bundle.from_json(raw), msgspec.json.decode(raw, type=_Told)
        except (ValueError, Error) as error:
            return Provenance(problems=(f"the Sigstore bundle cannot be read: {_line(error)}",))
        if digest in revoked:
            return Provenance(problems=("the artifact was revoked",))
        if f"{bundle.signing_certificate.serial_number:x}" in revoked:
            return Provenance(problems=("the certificate of the bundle was revoked",))
        problems: list[str] = []
        for publisher in publishers:
            for identity in publisher.identities:
                problem = self._problem(bundle, told, digest, identity)
                if not problem:
                    return _provenance(told, publisher.name, identity)
                problems.append(f"{publisher.name}: {problem}")
        unknown = "no publisher here is known by an identity of Sigstore"
        return Provenance(problems=tuple(dict.fromkeys(problems)) or (unknown,))

    def _problem(self, bundle: Bundle, told: _Told, digest: str, identity: Identity) -> str:
        """Say why a bundle is not by this identity; empty if it is."""
        from sigstore.errors import Error
        from sigstore.hashes import Hashed
        from sigstore.verify.policy import Identity as Policy
        from sigstore_models.common.v1 import HashAlgorithm

        policy = Policy(identity=identity.identity, issuer=identity.issuer)
        hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(digest))
        try:
            if told.dsseEnvelope is None:
                self._verifier.verify_artifact(hashed, bundle, policy)
                return ""
            kind, payload = self._verifier.verify_dsse(bundle, policy)
            return _statement_problem(kind, payload, digest)
        except (ValueError, Error) as error:
            return _line(error)


def is_bundle(raw: bytes) -> bool:
    """Whether these bytes say that they are a Sigstore bundle."""
    try:
        found = msgspec.json.decode(raw[:LARGEST], type=_Kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return found.mediaType.startswith(MEDIA_TYPE)


def require_sigstore() -> None:
    """Raise `ExtraMissing` if `plugbay[sigstore]` is not installed."""
    if find_spec("sigstore") is None:
        raise ExtraMissing("verifying Sigstore bundles", "sigstore")


class _Kind(msgspec.Struct):
    mediaType: str


class _Entry(msgspec.Struct):
    integratedTime: str | int = 0


class _Material(msgspec.Struct):
    tlogEntries: tuple[_Entry, ...] = ()


class _Told(msgspec.Struct):
    """The parts of a bundle that the library has no public names for."""

    verificationMaterial: _Material
    dsseEnvelope: dict[str, Any] | None = None


def _statement_problem(kind: str, payload: bytes, digest: str) -> str:
    """An attestation must be an in-toto statement about this artifact."""
    if kind != PAYLOAD_TYPE:
        return f"the bundle's payload is of type {kind}, expected {PAYLOAD_TYPE}"
    try:
        found = Envelope(base64.b64encode(payload).decode(), kind, ()).digests()
    except PlugbayError as error:
        return error.detail
    return "" if digest in found else other_artifact(found, digest)


def _provenance(told: _Told, publisher: str, identity: Identity) -> Provenance:
    """Say who it was; the time is the log's, which was verified with the entry."""
    at = next((int(entry.integratedTime) for entry in told.verificationMaterial.tlogEntries), 0)
    signed = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at else ""
    return Provenance(
        publisher, signed_at=signed, identity=identity.identity, issuer=identity.issuer
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
