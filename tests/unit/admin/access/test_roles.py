"""Roles against every route there is, and tokens that are limited to plugins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from litestar import Litestar, Response, get
from litestar.testing import TestClient

from plugbay.admin import AdminOptions, Permission, Principal, Role
from plugbay.admin._border import Border
from plugbay.admin._http import permit
from plugbay.admin.access import ROLES, Grants, Tokens, granted
from plugbay.kernel import Forbidden

from ...artifacts.wheels import wheel_bytes
from ..conftest import V1, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litestar.handlers import HTTPRouteHandler

    from plugbay.admin._http import Rule


def ruled(app: Litestar) -> Iterator[tuple[str, str, Rule]]:
    for route in app.routes:
        for handler in cast("list[HTTPRouteHandler]", getattr(route, "route_handlers", [])):
            for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                yield str(method), route.path_format, handler.opt["rule"]


def bearer(world: World, role: Role, **limits: Any) -> dict[str, str]:
    """A token with all that a role grants, of a user who has that role."""
    sql = "INSERT OR IGNORE INTO users (name, roles, password, created) VALUES (?, ?, '', 0)"
    asyncio.run(world.db.write(lambda db: db.execute(sql, (f"the-{role}", str(role)))))
    who = Principal(user=f"the-{role}", roles=(role,), permissions=granted([role]), credential="")
    issuer = Tokens(world.db, world.clock, Grants())
    _, secret = asyncio.run(issuer.issue(who, "test", sorted(ROLES[role]), None, **limits))
    return {"authorization": f"Bearer {secret}"}


def test_every_route_says_who_may_call_it(world: World) -> None:
    assert len(list(ruled(world.routes))) > 60


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_its_routes_and_no_other(world: World, role: Role) -> None:
    headers = bearer(world, role)
    for method, path, rule in ruled(world.routes):
        if rule.permission is None or (rule.permission in ROLES[role] and rule.events):
            continue  # a stream of events has no end
        target = path.replace("{", "").replace("}", "")
        answer = world.client.request(method, target, headers=headers, follow_redirects=False)
        may = rule.permission in ROLES[role]
        assert (answer.status_code == 403) is not may, (method, path, answer.text[:300])
        assert answer.status_code != 401, (method, path)


def test_what_each_role_is_for() -> None:
    assert ROLES[Role.ADMIN] == frozenset(Permission)
    for role in Role:
        assert ROLES[Role.VIEWER] <= ROLES[role]
    # Who brings code in does not let it run, who runs it does not say whose code is trusted,
    # and nobody but an administrator makes users.
    assert Permission.ARTIFACTS_WRITE not in ROLES[Role.OPERATOR]
    assert Permission.PLUGINS_WRITE not in ROLES[Role.PUBLISHER]
    assert Permission.TRUST_WRITE not in ROLES[Role.OPERATOR] | ROLES[Role.PUBLISHER]
    writers = [role for role in Role if Permission.USERS_WRITE in ROLES[role]]
    assert writers == [Role.ADMIN]


def test_a_route_without_a_rule_is_closed(world: World) -> None:
    @get("/admin/forgotten")
    async def forgotten() -> str:
        return "open"

    gates = cast("Border", world.app.asgi_handler)._gates
    app = Litestar(
        [forgotten],
        guards=[permit],
        exception_handlers={Forbidden: lambda _, error: Response(str(error), status_code=403)},
    )
    app.asgi_handler = Border(app.asgi_handler, gates)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.get("/admin/forgotten", headers=world.token())
        assert answer.status_code == 403
        options = client.options("/admin/forgotten", headers=world.token())
        assert options.status_code == 204


def test_a_token_can_be_limited_to_plugins(world: World) -> None:
    headers = bearer(world, Role.ADMIN, plugins=["mine"])
    world.upload(id="mine")
    world.upload(id="other")
    wish = {"version": "1.0.0"}
    path = f"{V1}/plugins"
    mine = world.client.put(f"{path}/mine?wait=finished", json=wish, headers=headers)
    assert mine.status_code == 200, mine.text
    other = world.client.put(f"{path}/other", json=wish, headers=headers)
    assert other.status_code == 403
    assert "limited to the plugins mine" in other.json()["detail"]
    # What concerns other plugins too is closed; what only reads is open.
    for method, target in (("POST", "/apply"), ("PUT", "/routes/x"), ("DELETE", "/artifacts/x")):
        refused = world.client.request(method, f"{V1}{target}", headers=headers, json={})
        assert refused.status_code == 403, target
    read = world.client.get(f"{V1}/artifacts?plugin=other", headers=headers)
    assert len(read.json()["items"]) == 1
    # Another token that it makes is limited in the same way.
    wish = {"name": "child", "scopes": ["plugins:write"]}
    child = world.client.post(f"{V1}/tokens", json=wish, headers=headers).json()
    assert child["token"]["plugins"] == ["mine"]
    wider = {**wish, "plugins": ["other"]}
    assert world.client.post(f"{V1}/tokens", json=wider, headers=headers).status_code == 403


def test_a_limited_token_uploads_its_own_plugin_only(world: World) -> None:
    headers = bearer(world, Role.PUBLISHER, plugins=["mine"])
    statuses: dict[str, int] = {}
    for id_ in ("mine", "other"):
        name = f"plugbay_{id_}-1.0.0-py3-none-any.whl"
        target = f"{V1}/artifacts?filename={name}"
        content = wheel_bytes(id=id_)
        answer = world.client.post(target, content=content, headers=headers)
        statuses[id_] = answer.status_code
    assert statuses == {"mine": 201, "other": 403}
    assert [artifact.plugin for artifact in world.artifacts.list()] == ["mine"]
    name = "plugbay_other-1.0.0-py3-none-any.whl"
    events = {**headers, "accept": "text/event-stream"}
    target = f"{V1}/artifacts?filename={name}"
    told = world.client.post(target, content=wheel_bytes(id="other"), headers=events)
    assert "/problems/forbidden" in told.text
    assert [artifact.plugin for artifact in world.artifacts.list()] == ["mine"]


def test_a_token_that_a_token_makes_lives_no_longer(world: World) -> None:
    wish = {"name": "short", "scopes": ["self", "read"], "expires_in": 60}
    short = world.ask("POST", "/tokens", json=wish).json()["secret"]
    child = world.client.post(
        f"{V1}/tokens",
        json={"name": "long", "scopes": ["read"], "expires_in": 86400},
        headers={"authorization": f"Bearer {short}"},
    ).json()
    assert child["token"]["expires"] == world.clock.now + 60
    bad = world.ask("POST", "/tokens", json={**wish, "plugins": ["a b"]})
    assert bad.json()["errors"][0]["pointer"] == "/plugins"
    assert world.ask("POST", "/tokens", json={**wish, "name": ""}).status_code == 422


class TestUploads:
    @pytest.fixture
    def options(self) -> AdminOptions:
        return AdminOptions(requests_per_minute=100_000, uploads_per_minute=2)

    def test_they_have_a_limit_of_their_own(self, world: World) -> None:
        path = "/artifacts?filename=plugbay_x-1.0.0-py3-none-any.whl"
        answers = [world.ask("POST", path, content=b"x") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [422, 422, 429]
        last = answers[-1]
        assert last.headers["ratelimit-policy"] == '"uploads";q=2;w=60'
        assert last.headers["ratelimit"] == '"uploads";r=0;t=60'
        assert last.headers["retry-after"] == "60"
        assert world.ask("GET", "/artifacts").status_code == 200
        world.clock.now += 60
        assert world.ask("POST", path, content=b"x").status_code == 422


def test_the_last_administrator_stays(world: World) -> None:
    wish = {"name": "vera", "roles": ["admin"], "password": "a long password"}
    for change in ({"roles": ["viewer"]}, {"disabled": True}):
        answer = world.ask("PATCH", "/users/admin", json=change)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    assert world.ask("DELETE", "/users/admin").status_code == 409
    assert world.ask("POST", "/users", json=wish).status_code == 201
    assert world.ask("PATCH", "/users/admin", json={"roles": ["viewer"]}).status_code == 200


def test_others_access_is_revoked_by_security(world: World) -> None:
    headers = bearer(world, Role.SECURITY)
    target = bearer(world, Role.OPERATOR)
    path = f"{V1}/users/the-operator"
    (token,) = world.client.get(f"{path}/tokens", headers=headers).json()["items"]
    gone = world.client.delete(f"{path}/tokens/{token['id']}", headers=headers)
    assert gone.status_code == 204
    assert world.client.get(f"{V1}/me", headers=target).status_code == 401
    target = bearer(world, Role.OPERATOR)
    done = world.client.delete(f"{path}/sessions?tokens=true", headers=headers)
    assert done.status_code == 204
    assert world.client.get(f"{V1}/me", headers=target).status_code == 401
    roles = world.client.get(f"{V1}/roles", headers=headers).json()["items"]
    assert [one["role"] for one in roles] == [str(role) for role in Role]
    for method in ("PATCH", "DELETE"):
        assert world.client.request(method, path, headers=headers, json={}).status_code == 403
