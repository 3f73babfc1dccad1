"""Signatures by keys and by certificates: good ones, and every way of not being good."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.artifacts.signing.authority import NOW, Holder, root

from plugbay.artifacts.signing import (
    Envelope,
    Provenance,
    Publisher,
    Rule,
    Trust,
    generate_key,
    key_id,
    load_chain,
    load_private_key,
    load_public_key,
    sign,
    verify,
)
from plugbay.kernel import Invalid, Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST, OTHER = "ab" * 32, "cd" * 32
AT = NOW.timestamp()
ED25519 = Ed25519PrivateKey.generate()


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 3072)


KEYS: dict[str, Callable[[], Ed25519PrivateKey | rsa.RSAPrivateKey]] = {
    "ed25519": lambda: ED25519,
    "rsa": rsa_key,
}


def trusting(*publishers: Publisher, revoked: frozenset[str] = frozenset()) -> Trust:
    return Trust(policy="enforce", publishers=publishers, revoked=revoked)


def signed(holder: Holder, *authorities: Holder, digest: str = DIGEST) -> Envelope:
    chain = [one.certificate for one in (holder, *authorities)]
    return sign("x.whl", digest, holder.key, chain=chain, now=AT)


@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_by_a_key(kind: str) -> None:
    key = KEYS[kind]()
    trust = trusting(Publisher.of("acme", keys=(key.public_key(),)))
    envelope = Envelope.parse(sign("x.whl", DIGEST, key, now=AT, expires=AT + 60).encode())
    found = verify(envelope, DIGEST, trust, now=AT)
    assert found == Provenance(
        "acme", key_id(key.public_key()), "2026-06-01T00:00:00+00:00", "2026-06-01T00:01:00+00:00"
    )
    assert verify(envelope, OTHER, trust, now=AT).problems == (
        (
            f"the signature is of another artifact: it was made for SHA-256 {DIGEST},"
            f" and here is SHA-256 {OTHER}"
        ),
    )
    strange = sign("x.whl", "\x1b[2J", key, now=AT)
    assert "for what is no SHA-256, and" in verify(strange, OTHER, trust, now=AT).problems[0]
    assert "has expired" in verify(envelope, DIGEST, trust, now=AT + 61).problems[0]
    nobody = trusting(Publisher.of("bad", keys=(Ed25519PrivateKey.generate().public_key(),)))
    assert "no signature is by" in verify(envelope, DIGEST, nobody, now=AT).problems[0]


@pytest.mark.parametrize("what", ["key", "digest"])
def test_what_was_revoked_does_not_count(what: str) -> None:
    revoked = frozenset({key_id(ED25519.public_key()) if what == "key" else DIGEST})
    trust = trusting(Publisher.of("acme", keys=(ED25519.public_key(),)), revoked=revoked)
    found = verify(sign("x", DIGEST, ED25519, now=AT), DIGEST, trust, now=AT)
    assert found.publisher == ""
    assert "revoked" in found.problems[0]


@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_by_a_certificate(kind: str) -> None:
    top = root("Acme Root")
    middle = top.issue("Acme Publishing", KEYS[kind](), ca=True)
    leaf = middle.issue("Ann")
    trust = trusting(Publisher.of("acme", roots=(top.certificate,), subjects=("Ann", "Bob")))
    for authorities in ((middle,), (middle, top)):
        found = verify(signed(leaf, *authorities), DIGEST, trust, now=AT)
        assert (found.publisher, found.problems) == ("acme", ())


def bad_chains() -> dict[str, tuple[tuple[Holder, ...], str]]:
    top, stranger = root("Acme Root"), root("Acme Root")
    begin, end = NOW - timedelta(days=9), NOW - timedelta(days=1)
    middle = top.issue("Middle", ca=True)
    no_more = top.issue("Last", ca=True, path_length=0)
    return {
        "another root": ((top, stranger.issue("Ann")), "does not lead to a root"),
        "expired": ((top, top.issue("Ann", begin=begin, end=end)), "not valid at"),
        "not yet": ((top, top.issue("Ann", begin=NOW + timedelta(days=1))), "not valid at"),
        "another subject": ((top, top.issue("Eve")), "is of Eve, not of Ann"),
        "no authority": (
            (top, (leaf := top.issue("Mid")).issue("Ann"), leaf),
            "not that of an authority",
        ),
        "may not sign": (
            (top, (mute := top.issue("Mute", ca=True, signs=False)).issue("Ann"), mute),
            "may not sign",
        ),
        "too deep": (
            (top, (below := no_more.issue("Below", ca=True)).issue("Ann"), below, no_more),
            "may not have 1 authorities below",
        ),
        "broken": ((top, top.issue("Ann"), middle), "is not issued by Middle"),
    }


@pytest.mark.parametrize("case", bad_chains())
def test_a_chain_that_does_not_hold(case: str) -> None:
    (top, leaf, *authorities), expected = bad_chains()[case]
    trust = trusting(Publisher.of("acme", roots=(top.certificate,), subjects=("Ann",)))
    found = verify(signed(leaf, *authorities), DIGEST, trust, now=AT)
    assert found.publisher == ""
    assert expected in found.problems[0]


def test_a_revoked_certificate() -> None:
    top = root("Root")
    leaf = top.issue("Ann")
    revoked = frozenset({f"{leaf.certificate.serial_number:x}"})
    trust = trusting(Publisher.of("acme", roots=(top.certificate,)), revoked=revoked)
    assert "was revoked" in verify(signed(leaf), DIGEST, trust, now=AT).problems[0]


@given(st.data())
def test_no_change_of_an_envelope_goes_unseen(data: st.DataObject) -> None:
    trust = trusting(Publisher.of("acme", keys=(ED25519.public_key(),)))
    envelope = sign("x.whl", DIGEST, ED25519, now=AT)
    part = data.draw(st.sampled_from(["payload", "sig", "payloadType"]))
    text = envelope.signatures[0].sig if part == "sig" else getattr(envelope, part)
    raw = bytearray(text.encode() if part == "payloadType" else base64.b64decode(text))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 127))
    if part == "payloadType":
        changed = replace(envelope, payloadType=raw.decode("latin-1"))
    elif part == "payload":
        changed = replace(envelope, payload=base64.b64encode(raw).decode())
    else:
        sig = replace(envelope.signatures[0], sig=base64.b64encode(raw).decode())
        changed = replace(envelope, signatures=(sig,))
    assert verify(changed, DIGEST, trust, now=AT).publisher == ""


@given(
    st.binary(max_size=200)
    | st.builds(
        lambda v: json.dumps(v).encode(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["payload", "payloadType", "signatures", "sig", "keyid"]), inner
                )
            ),
        ),
    )
)
def test_nonsense_is_malformed(raw: bytes) -> None:
    try:
        envelope = Envelope.parse(raw)
    except Malformed:
        return
    assert verify(envelope, DIGEST, trusting(), now=AT).publisher == ""


def test_what_is_no_statement_about_it() -> None:
    def said(payload: object) -> Envelope:
        return replace(
            sign("x", DIGEST, ED25519, now=AT),
            payload=base64.b64encode(json.dumps(payload).encode()).decode(),
        )

    for payload in (
        [],
        {"_type": "x"},
        {"_type": "https://in-toto.io/Statement/v1"},
        {"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {}}]},
    ):
        found = verify(said(payload), DIGEST, trusting(), now=AT)
        assert found.publisher == ""
        assert found.problems
    with pytest.raises(Malformed, match="bytes at most"):
        Envelope.parse(b" " * (1 << 20) + b"{}")


def test_keys_are_read_or_refused() -> None:
    made = load_private_key(generate_key())
    public = load_public_key(
        made.public_key().public_bytes(Encoding.PEM, format=_spki())  # what openssl writes
    )
    assert key_id(public) == key_id(made.public_key())
    locked = ED25519.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    assert load_private_key(locked, b"secret") is not None
    for password in (None, b"wrong"):
        with pytest.raises(Malformed, match="cannot be read"):
            load_private_key(locked, password)
    top = root("Root")
    pem = top.certificate.public_bytes(Encoding.PEM)
    assert key_id(load_public_key(pem)) == key_id(top.key.public_key())
    assert load_chain(pem) == (top.certificate,)
    for read in (load_public_key, load_chain, load_private_key):
        with pytest.raises(Malformed):
            read(b"nonsense")
    small = rsa.generate_private_key(65537, 2048)
    elliptic = ec.generate_private_key(ec.SECP256R1())
    for key, said in ((small, "3072 bits"), (elliptic, "expected an Ed25519 or RSA key")):
        raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(Invalid, match=said):
            load_private_key(raw)
    with pytest.raises(Invalid, match="not that of the key"):
        sign("x", DIGEST, ED25519, chain=[top.certificate], now=AT)


def _spki():
    from cryptography.hazmat.primitives.serialization import PublicFormat

    return PublicFormat.SubjectPublicKeyInfo


def test_the_first_rule_that_applies_counts() -> None:
    trust = Trust(
        policy="warn",
        rules=(
            Rule(plugins=("acme-*",), publishers=("acme",)),
            Rule(users=("ci",), policy="off"),
        ),
    )
    assert trust.rule("acme-jwt", "ci").publishers == ("acme",)
    assert trust.rule("jwt", "ci").policy == "off"
    assert trust.rule("jwt", "ann").policy == "warn"
