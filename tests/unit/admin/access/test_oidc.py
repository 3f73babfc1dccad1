"""Sign-in by OpenID Connect: with a provider program, and with one that says what it likes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc.jwk import RSAKey

from plugbay.admin import AdminOptions, OidcRule, Role
from plugbay.admin.access import Outbound
from plugbay.kernel import Invalid, Unavailable

from ..conftest import V1, World
from .provider import LooseProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx import Response

ROLES = {"ops": (Role.OPERATOR, Role.PUBLISHER), "sec": (Role.SECURITY,)}
REDIRECT = "http://127.0.0.1/admin/api/v1/oidc/callback"


def options_for(issuer: str, **more: Any) -> AdminOptions:
    rule = OidcRule(
        issuer=issuer, client_id="plugbay", redirect_uri=REDIRECT, roles=ROLES, name="Work"
    )
    return AdminOptions(requests_per_minute=100_000, oidc=replace(rule, **more))


def begin(world: World, following: str = "/admin/plugins") -> str:
    world.clock.now = time.time()
    answer = world.client.get(
        f"{V1}/oidc/start", params={"next": following}, follow_redirects=False
    )
    assert answer.status_code == 303, answer.text
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    return str(answer.headers["location"])


def come_back(world: World, **query: str) -> Response:
    return world.client.get(f"{V1}/oidc/callback", params=query)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    users = [
        {"sub": "vera", "preferred_username": "vera", "groups": ["ops", "other"]},
        {"sub": "eve", "preferred_username": "eve", "groups": ["other"]},
        {"sub": "mallory", "preferred_username": "admin", "groups": ["ops"]},
    ]
    claims = [part for user in users for part in ("--user-claims", json.dumps(user))]
    # Another process may take the port before it does: then it ends, and gets another one.
    process, port = next(found for found in map(provide, [claims] * 5) if found)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=100)


def provide(claims: list[str]) -> tuple[subprocess.Popen[bytes], int] | None:
    """Start a provider on a port that was free; None if it could not have it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "-p", str(port), "-n", "true", *claims],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    deadline = time.monotonic() + 100
    while process.poll() is None:
        assert time.monotonic() < deadline
        if _listens(process.pid, port):
            return process, port
        time.sleep(0.05)
    return None


def _listens(pid: int, port: int) -> bool:
    """Whether this very process listens there (proc(5), /proc/net/tcp)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    inodes = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    with contextlib.suppress(OSError):
        held = {os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()}
        return any(f"socket:[{inode}]" in held for inode in inodes)
    return False


class TestProviderProgram:
    """A real provider in a process of its own."""

    @pytest.fixture
    def options(self, issuer: str) -> AdminOptions:
        return options_for(issuer, secret=lambda: "a client's secret")

    def sign_in(self, world: World, subject: str) -> Response:
        """What a browser does at the provider."""
        parts = urlsplit(begin(world))
        connection = http.client.HTTPConnection(parts.netloc, timeout=100)
        form = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode({"sub": subject})
        connection.request("POST", f"{parts.path}?{parts.query}", body, form)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status == 302
        back = urlsplit(answer.getheader("location") or "")
        query = {name: values[0] for name, values in parse_qs(back.query).items()}
        return come_back(world, **query)

    def test_groups_become_roles_and_strangers_stay_outside(self, world: World) -> None:
        answer = self.sign_in(world, "vera")
        assert answer.status_code == 200, answer.text
        assert 'content="0; url=/admin/plugins"' in answer.text
        cookie = answer.headers["set-cookie"].lower()
        assert "plugbay_session" in cookie
        assert "samesite=strict" in cookie
        me = world.client.get(f"{V1}/me").json()
        assert (me["user"], me["roles"], me["method"]) == (
            "vera",
            ["operator", "publisher"],
            "oidc",
        )
        line = world.audited[-1]
        assert (line["act"], line["actor"], line["kind"]) == ("endOidc", "vera", "oidc")
        world.client.cookies.clear()
        refused = self.sign_in(world, "eve")
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
        assert "no group" in refused.json()["detail"]
        # Somebody elsewhere who calls himself like one of ours is not that one.
        taken = self.sign_in(world, "mallory")
        assert taken.status_code == 409
        assert world.client.get(f"{V1}/me").status_code == 401


@pytest.fixture(scope="module")
def rsa() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one"})


class TestWhatIsChecked:
    @pytest.fixture
    def provider(self, rsa: RSAKey) -> Iterator[LooseProvider]:
        with LooseProvider(rsa) as provider:
            yield provider

    @pytest.fixture
    def options(self, provider: LooseProvider, tmp_path: Path) -> AdminOptions:
        return options_for(provider.issuer, secret=lambda: "s3cret/+")

    def sign_in(self, world: World, provider: LooseProvider) -> Response:
        return come_back(world, state=provider.authorize(begin(world)), code="c")

    def test_the_code_is_swapped_with_the_verifier_and_the_secret(
        self, world: World, provider: LooseProvider
    ) -> None:
        assert world.client.get(f"{V1}/sign-in").json()["oidc_name"] == "Work"
        answer = self.sign_in(world, provider)
        assert answer.status_code == 200, answer.text
        form = provider.forms[-1]
        assert (form["grant_type"], form["redirect_uri"]) == ("authorization_code", REDIRECT)
        assert provider.headers[-1]["authorization"] == "Basic cGx1Z2JheTpzM2NyZXQlMkYlMkI="
        user = world.ask("GET", "/users/vera.q-example.com").json()
        assert (user["source"], user["roles"]) == (provider.issuer, ["operator", "publisher"])
        # The next sign-in has the roles of that day, and what was fetched is kept.
        provider.claims = {"groups": "sec"}
        assert self.sign_in(world, provider).status_code == 200
        assert world.client.get(f"{V1}/me").json()["roles"] == ["security"]
        assert provider.seen.count("/jwks") == 1
        assert provider.seen.count("/.well-known/openid-configuration") == 1
        # Such a user has no password here, and does not get one.
        wish = {"password": "a long password"}
        path = "/users/vera.q-example.com/password"
        assert world.ask("PUT", path, json=wish).status_code == 409
        locked = world.ask("PATCH", "/users/vera.q-example.com", json={"disabled": True})
        assert locked.status_code == 200
        assert self.sign_in(world, provider).status_code == 409

    def test_a_token_for_anything_else_is_refused(
        self, world: World, provider: LooseProvider
    ) -> None:
        now = int(time.time())
        wrong: dict[str, list[Any]] = {
            "iss": ["http://evil.example", None],
            "aud": ["other", ["other", "more"], None],
            "azp": ["other"],
            "exp": [now - 120, None, "soon"],
            "iat": [now + 600, None],
            "nonce": ["another", None],
            "sub": ["", 5, None],
        }
        for name, values in wrong.items():
            for value in values:
                provider.claims = {name: value}
                answer = self.sign_in(world, provider)
                assert answer.status_code == 401, (name, value, answer.text)
                assert name in answer.json()["detail"]
        assert world.client.get(f"{V1}/me").status_code == 401
        provider.claims = {"aud": ["plugbay", "other"]}
        assert "azp" in self.sign_in(world, provider).json()["detail"]
        provider.claims = {"aud": ["plugbay", "other"], "azp": "plugbay"}
        assert self.sign_in(world, provider).status_code == 200

    def test_state_is_good_once_in_one_browser_and_not_for_ever(
        self, world: World, provider: LooseProvider
    ) -> None:
        state = provider.authorize(begin(world))
        assert come_back(world, state="other", code="c").status_code == 401
        assert come_back(world, state=state, code="c").status_code == 200
        assert come_back(world, state=state, code="c").status_code == 401
        state = provider.authorize(begin(world))
        world.client.cookies.clear()
        stolen = come_back(world, state=state, code="c")
        assert (stolen.status_code, "another browser" in stolen.text) == (401, True)
        state = provider.authorize(begin(world))
        world.clock.now += 600
        assert come_back(world, state=state, code="c").status_code == 401
        state = provider.authorize(begin(world))
        assert come_back(world, state=state, error="access_denied").status_code == 401
        provider.challenge = "not the verifier's"
        begin(world)
        failed = [line for line in world.audited if line["act"] == "endOidc"]
        assert [line["status"] for line in failed] == [401, 200, 401, 401, 401, 401]

    def test_a_code_that_somebody_else_began_is_worth_nothing(
        self, world: World, provider: LooseProvider
    ) -> None:
        state = provider.authorize(begin(world))
        provider.challenge = "x" * 43
        answer = come_back(world, state=state, code="stolen")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")

    def test_keys_may_rotate_and_others_are_refused(
        self, world: World, provider: LooseProvider
    ) -> None:
        assert self.sign_in(world, provider).status_code == 200
        old, fresh = provider.key, RSAKey.generate_key(2048, {"kid": "two"})
        provider.key, provider.published = fresh, [old]
        world_time = time.time()
        assert self.sign_in(world, provider).status_code == 401
        assert provider.seen.count("/jwks") == 1  # not more often than once a minute
        provider.published = [old, fresh]
        world.clock.now = world_time + 61
        state = provider.authorize(begin_at(world, world_time + 61))
        assert come_back(world, state=state, code="c").status_code == 200

    def test_groups_may_come_from_userinfo_of_the_same_user(
        self, world: World, provider: LooseProvider
    ) -> None:
        provider.claims = {"groups": None}
        provider.userinfo = {"sub": "u-1", "groups": ["sec"]}
        assert self.sign_in(world, provider).status_code == 200
        assert world.client.get(f"{V1}/me").json()["roles"] == ["security"]
        provider.userinfo = {"sub": "u-2", "groups": ["sec"]}
        assert self.sign_in(world, provider).status_code == 401
        provider.metadata = {"userinfo_endpoint": ""}
        world.clock.now += 4000
        state = provider.authorize(begin_at(world, time.time()))
        assert come_back(world, state=state, code="c").status_code in (401, 403)

    @pytest.mark.parametrize(
        ("path", "status", "content"),
        [
            ("/.well-known/openid-configuration", 500, b"{}"),
            ("/.well-known/openid-configuration", 200, b"<html>"),
            ("/.well-known/openid-configuration", 200, b'{"issuer": 5}'),
            ("/.well-known/openid-configuration", 200, b" " * (1024 * 1024 + 1)),
            ("/.well-known/openid-configuration", 302, b""),
        ],
    )
    def test_a_provider_that_is_ill_is_told(
        self, world: World, provider: LooseProvider, path: str, status: int, content: bytes
    ) -> None:
        provider.answers[path] = (status, content)
        answer = world.client.get(f"{V1}/oidc/start", follow_redirects=False)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")

    def test_a_provider_that_is_another_one_is_refused(
        self, world: World, provider: LooseProvider
    ) -> None:
        provider.metadata = {"issuer": "http://127.0.0.1:1"}
        assert world.client.get(f"{V1}/oidc/start", follow_redirects=False).status_code == 503
        provider.metadata = {"token_endpoint": "http://evil.example/token"}
        assert world.client.get(f"{V1}/oidc/start", follow_redirects=False).status_code == 422

    def test_broken_keys_and_tokens_are_told(self, world: World, provider: LooseProvider) -> None:
        provider.answers["/jwks"] = (200, b'{"keys": 5}')
        assert self.sign_in(world, provider).status_code == 503
        provider.answers["/token"] = (200, b"[]")
        assert self.sign_in(world, provider).status_code == 503

    def test_afterwards_it_goes_on_with_own_pages_only(
        self, world: World, provider: LooseProvider
    ) -> None:
        for following in ("https://evil.example", "//evil.example", "/admin/\\evil", "/admin//x"):
            state = provider.authorize(begin(world, following))
            answer = come_back(world, state=state, code="c")
            assert 'url=/admin"' in answer.text


def begin_at(world: World, now: float) -> str:
    world.clock.now = now
    answer = world.client.get(f"{V1}/oidc/start", follow_redirects=False)
    return str(answer.headers["location"])


def test_without_settings_nobody_signs_in_that_way(world: World) -> None:
    assert world.client.get(f"{V1}/sign-in").json()["oidc"] == ""
    assert world.client.get(f"{V1}/oidc/start").status_code == 404
    assert world.client.get(f"{V1}/oidc/callback").status_code == 404


def test_secrets_go_over_tls_or_stay_on_this_machine() -> None:
    import asyncio

    outbound = Outbound(seconds=1)
    for url in ("http://example.com/x", "ftp://127.0.0.1/", "file:///etc/passwd", "https://"):
        with pytest.raises(Invalid):
            asyncio.run(outbound.get(url))
    with pytest.raises(Unavailable):
        asyncio.run(outbound.get("http://127.0.0.1:1/"))


def test_a_slow_answer_has_a_deadline() -> None:
    import asyncio
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
                while not ended.wait(0.05):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(Unavailable):  # all of it would come in a minute
            asyncio.run(Outbound(seconds=0.4).get(f"http://127.0.0.1:{port}/"))
        ended.set()
        thread.join()
