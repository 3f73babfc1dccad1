"""What every answer has, and what nobody gets without a sign-in."""

from __future__ import annotations

import pytest

from plugbay.admin import AdminOptions
from plugbay.admin._openapi import operations

from .conftest import V1, World

PUBLIC = {
    ("GET", f"{V1}/sign-in"),
    ("POST", f"{V1}/sessions"),
    ("POST", f"{V1}/sessions/second-factor"),
    ("POST", f"{V1}/access-tokens"),
    ("POST", f"{V1}/access-tokens/second-factor"),
    ("POST", f"{V1}/access-tokens/refresh"),
    ("POST", "/admin/api/login"),
    ("GET", f"{V1}/oidc/start"),
    ("GET", f"{V1}/oidc/callback"),
}
"""What anybody may call. A route that is not meant to be here fails a test."""


def test_everything_asks_for_a_sign_in(world: World) -> None:
    routes = [(route.path, method) for route in world.routes.routes for method in route.methods]
    assert len(routes) > 20
    extra = [("/admin/api/v1/none", "GET"), ("/none", "GET"), ("/admin/api/v1/me", "TRACE")]
    for path, method in [*routes, *extra]:
        read = method in ("GET", "HEAD")
        if (method, path) in PUBLIC or (method == "OPTIONS" and ("POST", path) in PUBLIC):
            continue
        if read and (path == "/" or (path.startswith("/admin") and "/api/" not in path)):
            continue  # pages lead to the form to sign in; their own tests say how
        answer = world.client.request(method, path.replace("{", "").replace("}", ""))
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "/problems/unauthenticated"


def test_every_route_but_the_sign_in_names_a_permission(world: World) -> None:
    rules = {
        (method, path): handler.opt["rule"] for path, method, handler in operations(world.routes)
    }
    free = {(method.upper(), path) for (method, path), rule in rules.items() if not rule.permission}
    assert free == {one for one in PUBLIC if one[0] != "HEAD"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"{V1}/none", 404, "not-found"),
        ("DELETE", f"{V1}/me", 405, "method-not-allowed"),
        ("GET", f"{V1}/sessions/current", 405, "method-not-allowed"),
    ],
)
def test_the_router_answers_with_problems(
    world: World, method: str, path: str, status: int, code: str
) -> None:
    answer = world.client.request(method, path, headers=world.token())
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == f"/problems/{code}"
    assert body["status"] == status
    assert body["instance"] == path
    assert body["request_id"] == answer.headers["x-request-id"]
    assert (answer.headers.get("allow", "") != "") == (status == 405)


def test_the_body_is_read_strictly(world: World) -> None:
    headers, path = world.token(), f"{V1}/tokens"
    answer = world.client.post(path, content=b"{", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed")
    answer = world.client.post(path, content=b"\xff\xfe", headers=headers)
    assert answer.status_code == 400
    wish = {"name": "x", "scopes": ["read"], "exipres_in": 5}
    answer = world.client.post(path, json=wish, headers=headers)
    assert answer.json()["errors"][0]["pointer"] == "/exipres_in"
    answer = world.client.post(path, json={"name": 5, "scopes": ["read"]}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/name")
    answer = world.client.post(path, content=b" " * (1024 * 1024 + 1), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


def test_every_answer_has_security_headers(world: World) -> None:
    headers = world.token()
    for answer in (
        world.client.get(f"{V1}/me"),
        world.client.get(f"{V1}/me", headers=headers),
        world.client.get("/admin/api/docs", headers=headers),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["ratelimit-policy"] == '"admin";q=100000;w=60'
        assert len(answer.headers["x-request-id"]) == 16


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 400),
        ("", 400),
        ("localhost:8081", 200),
        ("127.0.0.1:8081", 200),
        ("[::1]:8081", 200),
        ("[::1]", 200),
    ],
)
def test_a_foreign_host_name_is_refused(world: World, host: str, status: int) -> None:
    answer = world.client.get(f"{V1}/me", headers={**world.token(), "host": host})
    assert answer.status_code == status


def test_every_change_leaves_an_audit_line(world: World) -> None:
    world.client.post(f"{V1}/sessions", json={"username": "admin", "password": "wrong"})
    headers = world.token()
    made = world.client.post(
        f"{V1}/tokens", json={"name": "x", "scopes": ["read"]}, headers=headers
    )
    world.client.get(f"{V1}/me", headers=headers)
    lines = [
        (line.get("actor", ""), line["act"], line["method"], line["path"], line["status"])
        for line in world.audited
    ]
    assert lines == [
        ("admin", "signIn", "POST", f"{V1}/sessions", 401),
        ("admin", "createToken", "POST", f"{V1}/tokens", 201),
    ]
    last = world.audited[-1]
    assert last["location"] == made.headers["location"]
    assert last["request_id"] == made.headers["x-request-id"]
    assert (last["kind"], last["credential"] != "") == ("token", True)


class TestRateLimit:
    @pytest.fixture
    def options(self) -> AdminOptions:
        return AdminOptions(requests_per_minute=5, hosts=("Bay.example",))

    def test_is_told_and_kept(self, world: World) -> None:
        answers = [world.client.get(f"{V1}/me", headers={"host": "bay.EXAMPLE"}) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        assert answers[0].headers["ratelimit"] == '"admin";r=4;t=60'
        assert answers[-1].headers["retry-after"] == "60"
        world.clock.now += 60
        assert world.client.get(f"{V1}/me").status_code == 401
