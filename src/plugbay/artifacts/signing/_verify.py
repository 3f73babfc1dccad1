"""Verifying a signature against what the operator trusts."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from plugbay.artifacts.signing._envelope import other_artifact
from plugbay.artifacts.signing._keys import accept, key_id, load_chain, verifies
from plugbay.artifacts.signing._provenance import Provenance
from plugbay.kernel import PlugbayError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plugbay.artifacts.signing._envelope import Envelope, Signature
    from plugbay.artifacts.signing._keys import PublicKey
    from plugbay.artifacts.signing._publisher import Publisher
    from plugbay.artifacts.signing._trust import Trust

LONGEST_CHAIN = 5


def verify(envelope: Envelope, digest: str, trust: Trust, *, now: float) -> Provenance:
    """Verify that somebody known has signed the artifact with this SHA-256 in hex.

    `now` is in seconds since the Unix epoch. Never raises for what the envelope says.
    """
    try:
        problem = _statement_problem(envelope, digest, trust, now)
        signed = envelope.to_sign
        predicate: dict[str, Any] = envelope.statement().get("predicate") or {}
    except PlugbayError as error:
        return Provenance(problems=(error.detail,))
    if problem:
        return Provenance(problems=(problem,))
    problems: list[str] = []
    for signature in envelope.signatures:
        for publisher in trust.publishers:
            try:
                found = _by(publisher, signature, signed, trust, now)
            except PlugbayError as error:
                problems.append(error.detail)
                continue
            if found.problems:
                problems += found.problems
            elif found.publisher:
                said = str(predicate.get("signedAt", "")), str(predicate.get("expires", ""))
                return Provenance(found.publisher, found.keyid, *said)
    unknown = "no signature is by a publisher that is trusted here"
    return Provenance(problems=tuple(dict.fromkeys(problems)) or (unknown,))


def _statement_problem(envelope: Envelope, digest: str, trust: Trust, now: float) -> str:
    if digest not in (signed := envelope.digests()):
        return other_artifact(signed, digest)
    if digest in trust.revoked:
        return "the artifact was revoked"
    predicate: dict[str, Any] = envelope.statement().get("predicate") or {}
    expires = predicate.get("expires")
    if expires is not None and _seconds(expires) <= now:
        return f"the signature has expired: it was good until {expires}"
    return ""


def _by(
    publisher: Publisher, signature: Signature, signed: bytes, trust: Trust, now: float
) -> Provenance:
    """Try a signature as this publisher's; nobody's if it is not by him, and not wrong either."""
    problems: list[str] = []
    for key, id, trouble in _candidates(publisher, signature, trust, now):
        if not verifies(key, signature.value, signed):
            continue
        if trouble:
            problems.append(trouble)
        elif id in trust.revoked:
            problems.append(f"the key {id[:16]} of {publisher.name} was revoked")
        else:
            return Provenance(publisher.name, id)
    return Provenance(problems=tuple(problems))


def _candidates(
    publisher: Publisher, signature: Signature, trust: Trust, now: float
) -> Iterator[tuple[PublicKey, str, str]]:
    """Yield the keys the signature may be by, with their id, and why they do not count."""
    for id, key in publisher.keys.items():
        yield key, id, ""
    if signature.cert and publisher.roots:
        chain = load_chain(signature.cert.encode())
        if chain:
            leaf = accept(chain[0].public_key())
            yield leaf, key_id(leaf), _chain_problem(publisher, chain, trust, now)


def _chain_problem(
    publisher: Publisher, chain: Sequence[x509.Certificate], trust: Trust, now: float
) -> str:
    """Say why a chain does not lead to one of the publisher's roots; empty if it does.

    Path validation of RFC 5280, section 6, as far as code signing needs it. The verifier of the
    library takes the algorithms of the web only, and Ed25519 is none of them.
    """
    at = datetime.fromtimestamp(now, UTC)
    path = list(chain[:LONGEST_CHAIN])
    for one in path:
        if not _valid(one, at):
            return f"the certificate {_name(one)} is not valid at {at.isoformat()}"
        if f"{one.serial_number:x}" in trust.revoked:
            return f"the certificate {_name(one)} was revoked"
    if publisher.subjects and _name(path[0]) not in publisher.subjects:
        return f"the certificate is of {_name(path[0])}, not of {', '.join(publisher.subjects)}"
    for below, (lower, upper) in enumerate(pairwise(path)):
        if trouble := _link_problem(lower, upper, below):
            return trouble
    for root in publisher.roots:
        itself = len(path) > 1 and path[-1] == root
        if _valid(root, at) and (itself or not _link_problem(path[-1], root, len(path) - 1)):
            return ""
    return f"the certificate {_name(path[-1])} does not lead to a root of {publisher.name}"


def _valid(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _link_problem(lower: x509.Certificate, upper: x509.Certificate, below: int) -> str:
    """Say why `upper`, with `below` authorities under it, does not certify `lower`."""
    try:
        constraints = upper.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not constraints.ca:
            return f"the certificate {_name(upper)} is not that of an authority"
        if constraints.path_length is not None and below > constraints.path_length:
            return f"the certificate {_name(upper)} may not have {below} authorities below it"
        if not upper.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign:
            return f"the certificate {_name(upper)} may not sign certificates"
    except x509.ExtensionNotFound:
        return f"the certificate {_name(upper)} does not say that it is an authority's"
    try:
        lower.verify_directly_issued_by(upper)
    except (InvalidSignature, ValueError, TypeError):
        return f"the certificate {_name(lower)} is not issued by {_name(upper)}"
    return ""


def _name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def _seconds(stamp: object) -> float:
    try:
        found = datetime.fromisoformat(str(stamp))
    except ValueError:
        return 0.0
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp()
