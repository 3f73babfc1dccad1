"""Bundles of a Sigstore instance that the test makes: verified without any network."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.artifacts.signing import Identity, Publisher, SigstoreRoot, Trust, check
from plugbay.kernel import ExtraMissing, Invalid

from .instance import ISSUER, NOW, SIGNER, Instance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plugbay.artifacts.signing import Provenance

DATA = b"a plugin"
DIGEST = hashlib.sha256(DATA).hexdigest()
LATER = (NOW + timedelta(days=200)).timestamp()  # the certificate has long expired: the log counts


@pytest.fixture(scope="module")
def instance() -> Instance:
    return Instance()


@pytest.fixture
def trust(instance: Instance, tmp_path: Path) -> Trust:
    return trusting(instance, tmp_path)


def trusting(instance: Instance, folder: Path, **named: Any) -> Trust:
    who = Identity(identity=SIGNER, issuer=ISSUER)
    acme = Publisher(name="acme", identities=(who,))
    root = SigstoreRoot.read(instance.write_root(folder))
    return Trust(publishers=(Publisher(name="other"), acme), sigstore=root, **named)


def verified(bundle: dict[str, Any], trust: Trust, digest: str = DIGEST) -> Provenance:
    return check(json.dumps(bundle).encode(), digest, trust, now=LATER)


@pytest.mark.parametrize("attested", [False, True])
def test_a_bundle_by_an_identity_that_is_trusted(
    instance: Instance, trust: Trust, attested: bool
) -> None:
    found = verified(instance.bundle(DATA, attested=attested), trust)
    assert found.problems == ()
    assert (found.publisher, found.identity, found.issuer) == ("acme", SIGNER, ISSUER)
    assert found.signed_at == "2026-06-01T12:00:00+00:00"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"identity": "mallory@acme.example"}, "SANs do not match"),
        ({"issuer": "https://login.mallory.example"}, "issuer|Issuer"),
        ({"at": NOW + timedelta(hours=1)}, "certificate"),
    ],
)
def test_who_else_or_too_late(
    instance: Instance, trust: Trust, named: dict[str, Any], said: str
) -> None:
    found = verified(instance.bundle(DATA, **named), trust)
    assert found.publisher == ""
    assert any(word in found.problems[0] for word in said.split("|")), found.problems


@pytest.mark.parametrize("attested", [False, True])
def test_another_artifact(instance: Instance, trust: Trust, attested: bool) -> None:
    found = verified(instance.bundle(b"another", attested=attested), trust)
    assert found.publisher == ""
    assert "acme: " in found.problems[0]


@pytest.mark.parametrize("forged", ["authority", "certificates", "log"])
def test_what_another_instance_says_does_not_count(
    instance: Instance, trust: Trust, forged: str
) -> None:
    own = {name: getattr(instance, name) for name in ("authority", "certificates", "log")}
    mixed = Instance(**{name: key for name, key in own.items() if name != forged})
    assert verified(mixed.bundle(DATA), trust).publisher == ""


def entry(bundle: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = bundle["verificationMaterial"]["tlogEntries"][0]
    return found


def other(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return base64.b64encode(data).decode()


def changed_signature(bundle: dict[str, Any]) -> None:
    content = bundle["messageSignature"]
    content["signature"] = other(content["signature"])


def changed_time(bundle: dict[str, Any]) -> None:
    entry(bundle)["integratedTime"] = str(int(NOW.timestamp()) + 1)


def changed_body(bundle: dict[str, Any]) -> None:
    entry(bundle)["canonicalizedBody"] = other(entry(bundle)["canonicalizedBody"])


def changed_root(bundle: dict[str, Any]) -> None:
    proof = entry(bundle)["inclusionProof"]
    proof["rootHash"] = other(proof["rootHash"])


def without_promise(bundle: dict[str, Any]) -> None:
    del entry(bundle)["inclusionPromise"]


def without_proof(bundle: dict[str, Any]) -> None:
    del entry(bundle)["inclusionProof"]


def without_entry(bundle: dict[str, Any]) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = []


def without_certificate(bundle: dict[str, Any]) -> None:
    del bundle["verificationMaterial"]["certificate"]


def of_a_later_format(bundle: dict[str, Any]) -> None:
    bundle["mediaType"] = "application/vnd.dev.sigstore.bundle.v9+json"


@pytest.mark.parametrize(
    "change",
    [
        changed_signature,
        changed_time,
        changed_body,
        changed_root,
        without_promise,
        without_proof,
        without_entry,
        without_certificate,
        of_a_later_format,
    ],
)
def test_no_change_goes_unseen(
    instance: Instance, trust: Trust, change: Callable[[dict[str, Any]], None]
) -> None:
    bundle = instance.bundle(DATA)
    change(bundle)
    found = verified(bundle, trust)
    assert found.publisher == ""
    assert found.problems[0]


def test_a_payload_that_is_no_statement(instance: Instance, trust: Trust) -> None:
    bundle = instance.bundle(DATA, attested=True)
    assert verified(bundle, trust, digest="0" * 64).problems == (
        (
            "acme: the signature is of another artifact: it was made for SHA-256 "
            f"{DIGEST}, and here is SHA-256 {'0' * 64}"
        ),
    )


def test_what_was_revoked(instance: Instance, tmp_path: Path) -> None:
    revoked = trusting(instance, tmp_path, revoked=frozenset({DIGEST}))
    assert verified(instance.bundle(DATA), revoked).problems == ("the artifact was revoked",)


def test_without_a_trusted_root_no_bundle_counts(instance: Instance) -> None:
    [problem] = verified(instance.bundle(DATA), Trust()).problems
    assert "no trusted root of Sigstore" in problem
    [problem] = verified(instance.bundle(DATA), Trust(publishers=())).problems
    assert problem


def test_nobody_is_known_by_an_identity(instance: Instance, tmp_path: Path) -> None:
    root = SigstoreRoot.read(instance.write_root(tmp_path))
    [problem] = verified(instance.bundle(DATA), Trust(sigstore=root)).problems
    assert problem == "no publisher here is known by an identity of Sigstore"


def test_a_trusted_root_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "trusted_root.json"
    for text in ("{}", "no", '{"mediaType": "x"}'):
        path.write_text(text)
        with pytest.raises(Invalid, match="no trusted root"):
            SigstoreRoot.read(path)
    with pytest.raises(Invalid, match="no trusted root"):
        SigstoreRoot.read(tmp_path / "none")


def test_the_extra_is_named_if_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "sigstore", raising=False)
    with pytest.raises(ExtraMissing, match=r"plugbay\[sigstore\]"):
        SigstoreRoot.read(tmp_path)
