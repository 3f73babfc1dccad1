"""JWTs of issuers, and keys of devices."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey
from plugbay_zerotrust import Issuer, Policy
from plugbay_zerotrust._bearer import Bearer, TokenRefused
from plugbay_zerotrust._outbound import get_json
from ztna_client import Client, play

from plugbay.sdk.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUER, AUDIENCE = "https://id.example", "app"
NOW = 1_700_000_000


def key(kid: str = "one") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


def token(signer: Any, algorithm: str = "ES256", **changed: Any) -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "bob",
        "iat": NOW,
        "exp": NOW + 600,
        "roles": ["admin"],
        **changed,
    }
    left = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": signer.kid}, left, signer, algorithms=[algorithm])


def published(*keys: Any) -> dict[str, Any]:
    return {"keys": [one.as_dict(private=False) for one in keys]}


def issuer(*keys: Any, **more: Any) -> Issuer:
    return Issuer(issuer=ISSUER, audience=AUDIENCE, jwks=published(*keys), **more)


def claims(bearer: Bearer, text: str) -> dict[str, Any]:
    return asyncio.run(bearer.claims(text))[1]


# --- tokens


def test_a_token_of_a_trusted_issuer_is_somebody() -> None:
    signer = key()

    async def story(alice: Client) -> None:
        bearer = f"Bearer {token(signer)}"
        for _ in range(2):
            answer = await alice.get("/boss", authorization=bearer)
            assert answer.passed
        assert answer.request.headers["x-ztna-user"] == f"{ISSUER}#bob"
        assert answer.request.headers["authorization"] == bearer
        assert (await alice.get("/vault", authorization=bearer)).data()["need"] == "level"
        strong = token(signer, amr=["pwd", "mfa"])
        assert (await alice.get("/vault", authorization=f"Bearer {strong}")).passed
        plain = token(signer, roles="reader writer", sub="carl")
        assert (await alice.get("/boss", authorization=f"Bearer {plain}")).status == 403
        nobody = token(signer, exp=NOW - 60)
        assert (await alice.get("/", authorization=f"Bearer {nobody}")).status == 401
        none = token(signer, roles=5, sub="dora")
        assert (await alice.get("/", authorization=f"Bearer {none}")).passed

    policies = (
        Policy(name="boss", paths=("/boss",), roles=("admin",)),
        Policy(name="vault", paths=("/vault",), level=2),
    )
    play(story, issuers=(issuer(signer),), policies=policies)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"sub": None},
        {"exp": None},
        {"exp": NOW - 31},
        {"nbf": NOW + 3600},
    ],
)
def test_a_token_that_is_for_others_or_over_is_refused(changed: dict[str, Any]) -> None:
    signer = key()
    bearer = Bearer((issuer(signer),), ManualClock())
    with pytest.raises(TokenRefused):
        claims(bearer, token(signer, **changed))


def test_forgeries_are_refused() -> None:
    signer = key()
    bearer = Bearer((issuer(signer),), ManualClock())
    good = token(signer)
    head, body, signature = good.split(".")
    confused = OctKey.import_key(json.dumps(signer.as_dict(private=False)), {"kid": "one"})
    forged = [
        token(key()),
        token(confused, "HS256"),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        "x.y.z",
        "nothing",
        good + "x" * 9000,
    ]
    for one in forged:
        with pytest.raises(TokenRefused):
            claims(bearer, one)
    assert claims(bearer, good)["sub"] == "bob"
    other = RSAKey.generate_key(2048, {"kid": "rsa"})
    assert claims(Bearer((issuer(other),), ManualClock()), token(other, "PS256"))


# --- an issuer on the net


@contextmanager
def provider() -> Iterator[tuple[str, dict[str, Any]]]:
    """Run an issuer; yield its address and the documents by their paths."""
    documents: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = documents.get(self.path)
            documents.setdefault("asked", []).append(self.path)
            self.send_response(302 if self.path == "/away" else 200 if found is not None else 404)
            if self.path == "/away":
                self.send_header("location", "/keys")
            raw = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", documents
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_keys_are_discovered_and_fetched_anew_when_they_turn() -> None:
    old, new = key("old"), key("new")
    clock = ManualClock()
    with provider() as (address, documents):
        about = {"issuer": address, "jwks_uri": f"{address}/keys"}
        documents["/.well-known/openid-configuration"] = about
        documents["/keys"] = published(old)
        bearer = Bearer((Issuer(issuer=address, audience=AUDIENCE),), clock)

        async def main() -> None:
            await bearer.claims(token(old, iss=address))
            documents["/keys"] = published(new)
            with pytest.raises(TokenRefused):  # too soon
                await bearer.claims(token(new, iss=address))
            clock.advance(31)
            await bearer.claims(token(new, iss=address))
            clock.advance(31)
            documents.pop("/keys")
            with pytest.raises(TokenRefused):  # the keys that are known stay
                await bearer.claims(token(old, iss=address, jti="2"))
            await bearer.claims(token(new, iss=address, jti="3"))

        asyncio.run(main())
        assert documents["asked"].count("/keys") == 3


def test_an_issuer_that_is_away_or_another_is_no_issuer() -> None:
    signer = key()
    with provider() as (address, documents):
        documents["/.well-known/openid-configuration"] = {"issuer": "https://other.example"}
        documents["/list"] = []
        documents["/long"] = b'"' + b"x" * 300_000 + b'"'
        for more in ({}, {"jwks_url": f"{address}/none"}):
            bearer = Bearer((Issuer(issuer=address, audience=AUDIENCE, **more),), ManualClock())

            async def main(bearer: Bearer = bearer) -> None:
                for _ in range(2):
                    with pytest.raises(TokenRefused):
                        await bearer.claims(token(signer, iss=address))

            asyncio.run(main())
        with pytest.raises(ValueError, match="no object"):
            get_json(f"{address}/list")
        with pytest.raises(ValueError, match="longer"):
            get_json(f"{address}/long")
        with pytest.raises(OSError, match="302"):
            get_json(f"{address}/away")
    with pytest.raises(ValueError, match="https"):
        get_json("http://id.example/keys")


# --- devices


def proof(device: Any, challenge: str, algorithm: str) -> str:
    return jws.serialize_compact({"alg": algorithm}, challenge, device, algorithms=[algorithm])


@pytest.mark.parametrize(
    ("device", "algorithm"),
    [(ECKey.generate_key("P-256"), "ES256"), (OKPKey.generate_key("Ed25519"), "Ed25519")],
    ids=["P-256", "Ed25519"],
)
def test_a_session_is_bound_to_a_device(device: Any, algorithm: str) -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        assert (await alice.get("/here")).data()["need"] == "device"
        jwk = device.as_dict(private=False)
        asked = (await alice.post("device", {"type": "device", "jwk": jwk})).data()
        signed = proof(device, asked["challenge"], algorithm)
        answer = await alice.post("device", {"type": "device", "proof": signed})
        assert answer.status == 200
        assert (await alice.get("/here")).passed
        await alice.login()
        assert (await alice.get("/here")).status == 401
        asked = (await alice.post("verify", {"type": "device"})).data()
        (name,) = asked["devices"]
        signed = proof(device, asked["challenge"], algorithm)
        content = {"type": "device", "device": name, "proof": signed}
        assert (await alice.post("verify", content)).status == 200
        assert (await alice.get("/here")).passed
        assert (await alice.get("/ztna/status")).data()["device"] == name
        assert (await alice.post("verify", content)).status == 401  # used up
        removed = await alice.post("device", {"type": "device", "remove": name})
        assert removed.status == 200
        assert (await alice.get("/here")).status == 401
        assert (await alice.post("device", {"type": "device", "remove": name})).status == 404

    play(story, policies=(Policy(name="here", paths=("/here",), device=True),))


def test_devices_that_prove_nothing_are_refused() -> None:
    device, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")

    async def story(alice: Client) -> None:
        await alice.login()
        public = device.as_dict(private=False)
        for jwk in (device.as_dict(private=True), {"kty": "RSA"}, {**public, "x": "!"}, "text"):
            assert (await alice.post("device", {"type": "device", "jwk": jwk})).status == 400
        for signer, wrong in ((other, ""), (device, "wrong")):
            asked = (await alice.post("device", {"type": "device", "jwk": public})).data()
            signed = proof(signer, wrong or asked["challenge"], "ES256")
            answer = await alice.post("device", {"type": "device", "proof": signed})
            assert answer.status == 401
        assert (await alice.get("/ztna/device")).data()["devices"] == []
        content = {"type": "device", "device": "none", "proof": "x"}
        assert (await alice.post("verify", content)).status == 401

    play(story, attempts=20)


def test_factors_are_removed_and_only_when_fresh() -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        await alice.totp()
        alice.host.clock.advance(301)
        remove = {"type": "totp", "remove": "totp"}
        assert (await alice.post("device", remove)).data()["need"] == "fresh"
        await alice.login()
        assert (await alice.post("device", remove)).data()["need"] == "second-factor"

    play(story)


def test_key_sets_are_public_only() -> None:
    signer = key()
    found = KeySet.import_key_set(published(signer))
    assert not any(one.is_private for one in found.keys)
