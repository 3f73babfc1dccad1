"""Access and refresh tokens, and the keys they are signed with."""

from __future__ import annotations

import base64
import json
import stat
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from plugbay.admin.access import Reused

from ..conftest import V1, World


def sign_in(world: World) -> dict[str, Any]:
    wish = {"username": "admin", "password": world.password}
    answer = world.client.post(f"{V1}/access-tokens", json=wish)
    assert answer.status_code == 200, answer.text
    pair: dict[str, Any] = answer.json()
    return pair


def me(world: World, token: str) -> int:
    shown = {"authorization": f"Bearer {token}"}
    return world.client.get(f"{V1}/me", headers=shown).status_code


def refresh(world: World, token: str) -> Any:
    return world.client.post(f"{V1}/access-tokens/refresh", json={"refresh_token": token})


def test_an_access_token_is_short_and_says_who_asks(world: World) -> None:
    pair = sign_in(world)
    shown = {"authorization": f"Bearer {pair['access_token']}"}
    who = world.client.get(f"{V1}/whoami", headers=shown).json()
    assert (who["user"], who["kind"], who["roles"]) == ("admin", "jwt", ["admin"])
    header = json.loads(base64.urlsafe_b64decode(pair["access_token"].split(".")[0] + "=="))
    assert (header["alg"], header["typ"]) == ("Ed25519", "at+jwt")
    # It needs no CSRF value: it never travels by itself.
    made = world.client.post(f"{V1}/tokens", json={"name": "x", "scopes": ["read"]}, headers=shown)
    assert made.status_code == 201
    world.clock.now += 600
    assert me(world, pair["access_token"]) == 401


def test_odins_clients_sign_in_as_ever(world: World) -> None:
    path, wish = "/admin/api/login", {"username": "admin", "password": world.password}
    answer = world.client.post(path, json=wish)
    said = answer.json()
    assert (answer.status_code, said["success"]) == (200, True)
    assert said["user"] == {"username": "admin", "roles": ["admin"]}
    assert me(world, said["token"]) == 200
    wrong = world.client.post(path, json={**wish, "password": "x"})
    assert (wrong.status_code, list(wrong.json())) == (401, ["error"])
    assert world.client.post(path, content=b"{").status_code == 400
    assert world.audited[1]["detail"] == "unauthenticated"


def test_a_refresh_token_is_good_for_once_and_used_twice_ends_the_family(world: World) -> None:
    first = sign_in(world)
    second = refresh(world, first["refresh_token"]).json()
    assert me(world, second["access_token"]) == 200
    stolen = refresh(world, first["refresh_token"])
    assert (stolen.status_code, stolen.json()["type"]) == (401, "/problems/unauthenticated")
    # Whoever holds the newest one is out too, and so are all access tokens.
    assert me(world, second["access_token"]) == 401
    assert refresh(world, second["refresh_token"]).status_code == 401
    line = next(line for line in world.audited if "twice" in line.get("detail", ""))
    assert (line["actor"], line["status"]) == ("admin", 401)
    assert line["target"].startswith("refresh-families/")


def test_of_many_at_once_one_refresh_wins(world: World) -> None:
    import asyncio

    secret = sign_in(world)["refresh_token"]
    access = world.client.app.asgi_handler  # the very parts that serve
    tokens = access._gates.credentials.access  # type: ignore[attr-defined,union-attr]  # Border

    async def race() -> list[Any]:
        return await asyncio.gather(
            *(tokens.refresh(secret) for _ in range(2)), return_exceptions=True
        )

    found = asyncio.run(race())
    assert sorted(isinstance(one, Reused) for one in found) == [False, True]


def test_refreshing_ends_with_idleness_and_with_the_family(world: World) -> None:
    pair = sign_in(world)
    world.clock.now += 7 * 86400
    assert refresh(world, pair["refresh_token"]).status_code == 401
    pair = sign_in(world)
    for _ in range(5):
        world.clock.now += 6 * 86400 - 1
        answer = refresh(world, pair["refresh_token"])
        assert answer.status_code == 200
        pair = answer.json()
    assert pair["refresh_expires_in"] <= 5
    world.clock.now += 5
    assert refresh(world, pair["refresh_token"]).status_code == 401
    assert refresh(world, "pbr_nothing").status_code == 401


def test_signing_out_and_a_new_password_end_it_at_once(world: World) -> None:
    pair = sign_in(world)
    shown = {"authorization": f"Bearer {pair['access_token']}"}
    assert world.client.delete(f"{V1}/sessions/current", headers=shown).status_code == 204
    assert me(world, pair["access_token"]) == 401
    pair, other = sign_in(world), sign_in(world)
    wish = {"current": world.password, "password": "correct horse battery"}
    shown = {"authorization": f"Bearer {pair['access_token']}"}
    assert world.client.put(f"{V1}/me/password", json=wish, headers=shown).status_code == 204
    assert me(world, pair["access_token"]) == 200
    assert me(world, other["access_token"]) == 401


def test_forged_tokens_are_refused(world: World) -> None:
    pair = sign_in(world)
    head, body, signature = pair["access_token"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    header = json.loads(base64.urlsafe_b64decode(head + "=="))

    def encoded(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    other = OKPKey.generate_key("Ed25519", {"kid": header["kid"]}, private=True)
    public = world.ask("GET", "/signing-keys").json()["keys"][0]["x"]
    confused = OctKey.import_key(public)
    forged = [
        f"{head}.{encoded({**claims, 'sub': 'root'})}.{signature}",
        f"{encoded({**header, 'alg': 'none'})}.{body}.",
        jwt.encode(header, claims, other, algorithms=["Ed25519"]),
        jwt.encode({**header, "alg": "HS256"}, claims, confused, algorithms=["HS256"]),
        f"{head}.{body}.{'A' * 86}",
        "a.b.c",
        "",
        "é.é.é",
    ]
    for token in forged:
        answer = world.client.get(f"{V1}/me", headers={"authorization": f"Bearer {token}".encode()})
        assert answer.status_code == 401, token
    # Signed by the right key, but for something else.
    keys = world.client.app.asgi_handler._gates.credentials.access.keys  # type: ignore[attr-defined,union-attr]  # Border
    for wrong in ({"aud": "other"}, {"iss": "x"}, {"exp": "soon"}, {"sid": "x"}, {"sub": "eve"}):
        token = jwt.encode(header, {**claims, **wrong}, keys.signing(), algorithms=["Ed25519"])
        assert me(world, token) == 401, wrong
    token = jwt.encode({**header, "typ": "JWT"}, claims, keys.signing(), algorithms=["Ed25519"])
    assert me(world, token) == 401


def test_keys_are_private_files_and_rotate(world: World) -> None:
    folder = world.path / "secrets" / "admin"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == {0o600}
    shown = world.ask("GET", "/signing-keys").json()["keys"]
    assert [sorted(key) for key in shown] == [["alg", "crv", "kid", "kty", "use", "x"]]
    old = sign_in(world)["access_token"]
    fresh = world.ask("POST", "/signing-keys/rotate").json()["kid"]
    assert me(world, old) == 200
    new = sign_in(world)["access_token"]
    assert json.loads(base64.urlsafe_b64decode(new.split(".")[0] + "=="))["kid"] == fresh
    world.ask("POST", "/signing-keys/rotate?forget=true")
    assert me(world, old) == me(world, new) == 401
    # By itself after its time; the last key verifies until what it has signed has expired.
    before = sign_in(world)
    world.clock.now += 30 * 86400 - 10
    last = refresh(world, before["refresh_token"])
    assert last.status_code == 401
    late = sign_in(world)["access_token"]
    world.clock.now += 20
    kids = [
        json.loads(base64.urlsafe_b64decode(one.split(".")[0] + "=="))["kid"]
        for one in (late, sign_in(world)["access_token"])
    ]
    assert kids[0] != kids[1]
    assert me(world, late) == 200


def test_a_user_who_is_locked_out_has_nothing_left(world: World) -> None:
    wish = {"name": "vera", "roles": ["operator"], "password": "a long password"}
    world.ask("POST", "/users", json=wish)
    shown = {"username": "vera", "password": "a long password"}
    pair = world.client.post(f"{V1}/access-tokens", json=shown).json()
    bearer = {"authorization": f"Bearer {pair['access_token']}"}
    made = world.client.post(f"{V1}/tokens", json={"name": "x", "scopes": ["read"]}, headers=bearer)
    token = made.json()["secret"]
    assert world.client.get(f"{V1}/plugins", headers=bearer).status_code == 200
    # Other roles count at once.
    world.ask("PATCH", "/users/vera", json={"roles": ["viewer"]})
    assert world.client.post(f"{V1}/apply", json={}, headers=bearer).status_code == 403
    assert world.ask("PATCH", "/users/vera", json={"disabled": True}).json()["disabled"] is True
    assert me(world, pair["access_token"]) == me(world, token) == 401
    assert refresh(world, pair["refresh_token"]).status_code == 401
    assert world.client.post(f"{V1}/access-tokens", json=shown).status_code == 401
    world.ask("PATCH", "/users/vera", json={"disabled": False})
    assert world.client.post(f"{V1}/access-tokens", json=shown).status_code == 200
