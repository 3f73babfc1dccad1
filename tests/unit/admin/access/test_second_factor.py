"""Second factors: enrolment, codes that are good for once, recovery, and roles that need one."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from plugbay.admin import AdminOptions, Role

from ..conftest import V1, World


class Person:
    """Somebody with an authenticator, signed in with a cookie."""

    def __init__(self, world: World, name: str = "admin", password: str = "") -> None:
        self.world, self.name, self.password = world, name, password or world.password
        self.csrf = {"x-csrf-token": world.sign_in(name, self.password)["csrf"]}
        self.secret = ""
        self.recovery: list[str] = []

    def post(self, path: str, **body: str) -> Any:
        return self.world.client.post(f"{V1}{path}", json=body, headers=self.csrf)

    def code(self, *, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(int(self.world.clock.now) + 30 * steps)

    def enrol(self) -> None:
        made = self.post("/me/totp", current=self.password)
        assert made.status_code == 200, made.text
        self.secret = made.json()["secret"]
        done = self.post("/me/totp/confirm", code=self.code())
        assert done.status_code == 200, done.text
        self.recovery = done.json()["recovery_codes"]

    def show_password(self, **more: str) -> Any:
        wish = {"username": self.name, "password": self.password, **more}
        return self.world.client.post(f"{V1}/sessions", json=wish)

    def show_code(self, challenge: str, code: str) -> Any:
        wish = {"challenge": challenge, "code": code}
        return self.world.client.post(f"{V1}/sessions/second-factor", json=wish)


def test_after_the_enrolment_a_sign_in_needs_a_code(world: World) -> None:
    admin = Person(world)
    assert admin.post("/me/totp/confirm", code="000000").status_code == 409
    assert admin.post("/me/totp", current="wrong").status_code == 401
    admin.enrol()
    assert len(set(admin.recovery)) == 10
    assert world.client.get(f"{V1}/me").json()["method"] == "totp"
    assert admin.post("/me/totp", current=admin.password).status_code == 409
    world.clock.now += 30
    wanted = admin.show_password()
    assert wanted.status_code == 202
    assert "set-cookie" not in wanted.headers
    done = admin.show_code(wanted.json()["challenge"], admin.code())
    assert done.status_code == 201
    assert "plugbay_session" in done.headers["set-cookie"]
    # A challenge is good for one sign-in.
    assert admin.show_code(wanted.json()["challenge"], admin.code(steps=1)).status_code == 401
    text = str([tuple(row) for row in world.db.read("SELECT * FROM users")])
    assert admin.secret not in text
    assert not set(admin.recovery) & set(text.split())


def test_the_uri_is_what_authenticators_read(world: World) -> None:
    admin = Person(world)
    made = admin.post("/me/totp", current=admin.password).json()
    parts = urlsplit(made["uri"])
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    query = parse_qs(parts.query)
    assert query["secret"] == [made["secret"]]
    assert query["issuer"] == ["Plugbay local"]
    assert admin.post("/me/totp/confirm", code="12 34").status_code == 401


def test_a_code_is_good_for_once(world: World) -> None:
    admin = Person(world)
    admin.enrol()
    # The code of the enrolment was used by it.
    assert admin.show_password(code=admin.code()).status_code == 401
    world.clock.now += 30
    code = admin.code()
    assert admin.show_password(code=code).status_code == 201
    assert admin.show_password(code=code).status_code == 401
    # An older code than the last one is used up with it, though its time has not run out.
    world.clock.now += 60
    assert admin.show_password(code=admin.code(steps=1)).status_code == 201
    assert admin.show_password(code=admin.code()).status_code == 401
    world.clock.now += 90
    assert admin.show_password(code=admin.code(steps=-2)).status_code == 401


def test_a_recovery_code_is_good_for_once(world: World) -> None:
    admin = Person(world)
    admin.enrol()
    spare = admin.recovery[3]
    assert admin.show_password(code=spare.upper().replace("-", " ")).status_code == 201
    assert admin.show_password(code=spare).status_code == 401
    assert admin.show_password(code=admin.recovery[4]).status_code == 201


def test_access_tokens_want_the_code_too(world: World) -> None:
    admin = Person(world)
    admin.enrol()
    wish = {"username": "admin", "password": world.password}
    odin = world.client.post("/admin/api/login", json=wish)
    assert (odin.status_code, odin.json()["second_factor"]) == (401, True)
    wanted = world.client.post(f"{V1}/access-tokens", json=wish)
    assert wanted.status_code == 202
    world.clock.now += 30
    shown = {"challenge": wanted.json()["challenge"], "code": admin.code()}
    pair = world.client.post(f"{V1}/access-tokens/second-factor", json=shown)
    assert pair.status_code == 200
    world.clock.now += 30
    odin = world.client.post("/admin/api/login", json={**wish, "code": admin.code()})
    assert odin.status_code == 200


def test_guesses_at_codes_are_bounded(world: World) -> None:
    admin = Person(world)
    admin.enrol()
    challenge = admin.show_password().json()["challenge"]
    statuses = [admin.show_code(challenge, "000000").status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    world.clock.now += 301
    expired = admin.show_code(challenge, admin.code())
    assert expired.status_code == 401
    assert "expired" in expired.json()["detail"]


def test_it_is_removed_with_password_and_code_or_by_an_administrator(world: World) -> None:
    admin = Person(world)
    admin.enrol()
    world.clock.now += 30
    assert admin.post("/me/totp/remove", current=admin.password, code="0").status_code == 401
    code = admin.code()
    assert admin.post("/me/totp/remove", current=admin.password, code=code).status_code == 204
    assert admin.post("/me/totp/remove", current=admin.password, code=code).status_code == 404
    assert admin.show_password().status_code == 201
    admin = Person(world)
    admin.enrol()
    assert world.ask("GET", "/users/admin").json()["second_factor"] is True
    assert world.ask("DELETE", "/users/admin/totp").status_code == 204
    assert admin.show_password().status_code == 201


class TestRequired:
    @pytest.fixture
    def options(self) -> AdminOptions:
        return AdminOptions(requests_per_minute=100_000, second_factor=(Role.ADMIN,))

    def test_a_role_that_needs_it_gives_nothing_before(self, world: World) -> None:
        admin = Person(world)
        me = world.client.get(f"{V1}/me").json()
        assert (me["permissions"], me["second_factor_required"]) == (["self"], True)
        assert "second factor" in me["restricted"]
        refused = world.client.get(f"{V1}/plugins")
        assert refused.status_code == 403
        assert "second factor" in refused.json()["detail"]
        # A token made with the password alone is not worth more, also later.
        made = admin.post("/tokens", name="x", scopes="self")
        assert made.status_code == 422
        wish = {"name": "x", "scopes": ["self"]}
        token = world.client.post(f"{V1}/tokens", json=wish, headers=admin.csrf).json()["secret"]
        admin.enrol()
        assert world.client.get(f"{V1}/plugins").status_code == 200
        bearer = {"authorization": f"Bearer {token}"}
        assert world.client.get(f"{V1}/plugins", headers=bearer).status_code == 403
        wish = {"name": "y", "scopes": ["read"]}
        token = world.client.post(f"{V1}/tokens", json=wish, headers=admin.csrf).json()["secret"]
        bearer = {"authorization": f"Bearer {token}"}
        assert world.client.get(f"{V1}/plugins", headers=bearer).status_code == 200
