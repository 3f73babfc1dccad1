"""Bearer tokens, users and permissions."""

from __future__ import annotations

from .conftest import V1, World


def test_a_token_is_shown_once_and_only_its_hash_is_kept(world: World) -> None:
    headers = world.token("self", "read")
    secret = headers["authorization"].removeprefix("Bearer ")
    assert secret.startswith("pb_")
    listed = world.client.get(f"{V1}/tokens", headers=headers).json()["items"]
    assert [sorted(token["scopes"]) for token in listed] == [["read", "self"]]
    assert secret not in str(listed)
    rows = world.db.read("SELECT * FROM tokens")
    assert secret not in str([tuple(row) for row in rows])


def test_a_token_expires_and_is_revoked(world: World) -> None:
    headers = world.token()
    wish = {"name": "short", "scopes": ["self"], "expires_in": 60}
    made = world.client.post(f"{V1}/tokens", json=wish, headers=headers)
    short = {"authorization": f"Bearer {made.json()['secret']}"}
    assert world.client.get(f"{V1}/me", headers=short).status_code == 200
    world.clock.now += 60
    assert world.client.get(f"{V1}/me", headers=short).status_code == 401
    place = made.headers["location"]
    assert world.client.delete(place, headers=headers).status_code == 204
    assert world.client.delete(place, headers=headers).status_code == 404
    for token in world.client.get(f"{V1}/tokens", headers=headers).json()["items"]:
        world.client.delete(f"{V1}/tokens/{token['id']}", headers=headers)
    assert world.client.get(f"{V1}/me", headers=headers).status_code == 401


def test_a_token_cannot_grant_more_than_it_has(world: World) -> None:
    headers = world.token("self", "read")
    for scopes, status in ((["apply"], 403), ([], 422), (["dance"], 422)):
        wish = {"name": "more", "scopes": scopes}
        answer = world.client.post(f"{V1}/tokens", json=wish, headers=headers)
        assert answer.status_code == status
    late: dict[str, object] = {"name": "old", "scopes": ["read"], "expires_in": -1}
    answer = world.client.post(f"{V1}/tokens", json=late, headers=headers)
    assert answer.json()["errors"][0]["pointer"] == "/expires_in"


def test_a_bad_token_does_not_fall_back_to_the_cookie(world: World) -> None:
    world.sign_in()
    for shown in ("Bearer pb_wrong", "Bearer wrong", "Basic YTpi", "Bearer"):
        answer = world.client.get(f"{V1}/me", headers={"authorization": shown})
        assert answer.status_code == 401


def test_users_have_roles(world: World) -> None:
    headers = world.token()
    wish = {"name": "vera", "roles": ["viewer"], "password": "a long password"}
    assert world.client.post(f"{V1}/users", json=wish, headers=headers).status_code == 201
    assert world.client.post(f"{V1}/users", json=wish, headers=headers).status_code == 409
    bad = {**wish, "name": "Véra"}
    assert world.client.post(f"{V1}/users", json=bad, headers=headers).status_code == 422
    names = [
        user["name"] for user in world.client.get(f"{V1}/users", headers=headers).json()["items"]
    ]
    assert names == ["admin", "vera"]
    session = world.sign_in("vera", "a long password")
    refused = world.client.get(f"{V1}/users", headers={"x-csrf-token": session["csrf"]})
    assert refused.status_code == 403
    assert "users:read" in refused.json()["detail"]
    world.client.cookies.clear()
    assert world.client.delete(f"{V1}/users/vera", headers=headers).status_code == 204
    assert world.client.delete(f"{V1}/users/vera", headers=headers).status_code == 404
    last = world.client.delete(f"{V1}/users/admin", headers=headers)
    assert (last.status_code, last.json()["type"]) == (409, "/problems/conflict")


def test_a_user_who_is_removed_is_signed_out(world: World) -> None:
    headers = world.token()
    wish = {"name": "vera", "roles": ["admin"], "password": "a long password"}
    world.client.post(f"{V1}/users", json=wish, headers=headers)
    world.sign_in("vera", "a long password")
    assert world.client.get(f"{V1}/me").status_code == 200
    world.client.delete(f"{V1}/users/vera", headers=headers)
    assert world.client.get(f"{V1}/me").status_code == 401
