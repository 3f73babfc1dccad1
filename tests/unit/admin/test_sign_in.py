"""Sign-in, sessions and CSRF."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest

from plugbay.admin import AdminOptions, ensure_first_user
from plugbay.storage import Database

from .conftest import V1, Clock, World

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_user_is_made_once(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "plugbay.sqlite3")
    assert asyncio.run(ensure_first_user(db, tmp_path, Clock())) is True
    file = tmp_path / "first-password"
    password = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(password) >= 24
    assert password.strip() not in str([tuple(row) for row in db.read("SELECT * FROM users")])
    assert asyncio.run(ensure_first_user(db, tmp_path, Clock())) is False
    assert file.read_text() == password
    db.close()


def test_a_session_is_a_strict_cookie_that_scripts_cannot_read(world: World) -> None:
    answer = world.client.post(
        f"{V1}/sessions", json={"username": "admin", "password": world.password}
    )
    cookie = answer.headers["set-cookie"].lower()
    assert answer.status_code == 201
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert world.client.get(f"{V1}/me").json()["user"] == "admin"


def test_a_session_changes_nothing_without_its_csrf_value(world: World) -> None:
    session = world.sign_in()
    wish = {"name": "x", "scopes": ["read"]}
    refused = world.client.post(f"{V1}/tokens", json=wish)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    wrong = world.client.post(f"{V1}/tokens", json=wish, headers={"x-csrf-token": "a" * 32})
    assert wrong.status_code == 403
    right = {"x-csrf-token": session["csrf"]}
    assert world.client.post(f"{V1}/tokens", json=wish, headers=right).status_code == 201


def test_another_sites_page_may_not_even_sign_in(world: World) -> None:
    answer = world.client.post(
        f"{V1}/sessions",
        json={"username": "admin", "password": world.password},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert answer.status_code == 403


def test_signing_out_ends_the_session(world: World) -> None:
    session = world.sign_in()
    cookie = world.client.cookies["plugbay_session"]
    csrf = {"x-csrf-token": session["csrf"]}
    assert world.client.delete(f"{V1}/sessions/current", headers=csrf).status_code == 204
    world.client.cookies.clear()
    again = world.client.get(f"{V1}/me", headers={"cookie": f"plugbay_session={cookie}"})
    assert again.status_code == 401


def test_a_session_expires(world: World) -> None:
    world.sign_in()
    for _ in range(23):  # used every half an hour
        world.clock.now += 1800
        assert world.client.get(f"{V1}/me").status_code == 200
    world.clock.now += 1800
    assert world.client.get(f"{V1}/me").status_code == 401


def test_a_session_ends_when_it_is_not_used(world: World) -> None:
    world.sign_in()
    world.clock.now += 3599
    assert world.client.get(f"{V1}/me").status_code == 200
    world.clock.now += 3599
    assert world.client.get(f"{V1}/me").status_code == 200
    world.clock.now += 3600
    assert world.client.get(f"{V1}/me").status_code == 401


def test_a_token_is_not_a_session_to_end(world: World) -> None:
    answer = world.client.delete(f"{V1}/sessions/current", headers=world.token())
    assert answer.status_code == 409


def test_a_new_password_ends_the_other_sessions(world: World) -> None:
    world.sign_in()
    other = world.client.cookies["plugbay_session"]
    csrf = {"x-csrf-token": world.sign_in()["csrf"]}
    path, fresh = f"{V1}/me/password", "correct horse battery"
    wrong = world.client.put(path, json={"current": "x", "password": fresh}, headers=csrf)
    assert wrong.status_code == 401
    wish = {"current": world.password, "password": "short"}
    short = world.client.put(path, json=wish, headers=csrf)
    assert (short.status_code, short.json()["errors"][0]["pointer"]) == (422, "/password")
    wish = {"current": world.password, "password": fresh}
    assert world.client.put(path, json=wish, headers=csrf).status_code == 204
    assert world.client.get(f"{V1}/me").status_code == 200
    world.client.cookies.clear()
    stale = world.client.get(f"{V1}/me", headers={"cookie": f"plugbay_session={other}"})
    assert stale.status_code == 401
    assert world.sign_in(password=fresh)["user"] == "admin"


def test_right_passwords_do_not_use_the_quota_up(world: World) -> None:
    for _ in range(8):
        world.sign_in()


def test_a_long_password_and_an_unknown_user_are_simply_wrong(world: World) -> None:
    for wish in (("admin", "x" * 2000), ("nobody", "x" * 20), ("admin", "")):
        answer = world.client.post(
            f"{V1}/sessions", json=dict(zip(("username", "password"), wish, strict=True))
        )
        assert answer.status_code == 401


def test_a_cookie_that_cannot_be_read_is_no_cookie(world: World) -> None:
    answer = world.client.get(f"{V1}/me", headers={"cookie": "plugbay_session=\x7f;;=;a b"})
    assert answer.status_code == 401


class TestOverTls:
    @pytest.fixture
    def options(self) -> AdminOptions:
        return AdminOptions(requests_per_minute=100_000, secure_cookies=True)

    def test_the_cookie_is_tied_to_this_host(self, world: World) -> None:
        wish = {"username": "admin", "password": world.password}
        answer = world.client.post(f"{V1}/sessions", json=wish)
        cookie, _, rest = answer.headers["set-cookie"].partition("; ")
        name, _, value = cookie.partition("=")
        assert name == "__Host-plugbay_session"
        fields = {field.strip().lower() for field in rest.split(";")}
        assert {"secure", "httponly", "path=/", "samesite=strict"} <= fields
        assert not any(field.startswith("domain") for field in fields)
        shown = {"cookie": f"{name}={value}"}
        assert world.client.get(f"{V1}/me", headers=shown).status_code == 200
        # A cookie without the prefix, which any neighbour could have set, is not looked at.
        plain = {"cookie": f"plugbay_session={value}"}
        assert world.client.get(f"{V1}/me", headers=plain).status_code == 401


def test_a_page_of_another_origin_changes_nothing(world: World) -> None:
    csrf = {"x-csrf-token": world.sign_in()["csrf"]}
    wish = {"name": "x", "scopes": ["read"]}
    for origin, status in (
        ("http://127.0.0.1", 201),
        ("http://127.0.0.1:8080", 403),
        ("null", 403),
    ):
        headers = {**csrf, "origin": origin}
        answer = world.client.post(f"{V1}/tokens", json=wish, headers=headers)
        assert answer.status_code == status, origin
