"""Who gets in."""

from __future__ import annotations

import asyncio

import pytest
from plugbay_zerotrust import Policy, _desk
from plugbay_zerotrust._desk import CREATED, DENIED
from plugbay_zerotrust._passwords import WAITING
from plugbay_zerotrust._throttle import Throttle
from ztna_client import CLIENT, PASSWORD, Client, play

from plugbay.sdk import HostUnavailable
from plugbay.sdk.protection import LIFT

WRONG = "wrong password"


def test_nobody_passes_who_has_not_signed_in() -> None:
    async def story(alice: Client) -> None:
        answer = await alice.get("/")
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.data()["login"] == "/ztna/login"
        assert (await alice.get("/health")).passed
        assert (await alice.login()).data()["status"] == "success"
        answer = await alice.get("/", x_ztna_roles="admin")
        assert answer.passed
        request = answer.request
        assert (request.headers["x-ztna-user"], request.headers["x-ztna-roles"]) == (
            "alice",
            "staff",
        )
        assert "x-ztna-session" not in request.headers
        assert alice.host.events.of(CREATED)[0].data["user"] == "alice"

    play(story, policies=(Policy(name="open", paths=("/health",), public=True),))


def test_a_browser_gets_a_cookie_that_the_upstream_never_sees() -> None:
    async def story(alice: Client) -> None:
        content = {"username": "alice", "password": PASSWORD, "deliver": "cookie"}
        answer = await alice.post("login", content, origin="https://testserver")
        cookie = answer.headers["set-cookie"]
        assert "session" not in answer.data()
        assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=Strict"))
        pair = cookie.partition(";")[0]
        answer = await alice.get("/", cookie=f"a=b; {pair}; c=d")
        assert answer.passed
        assert answer.request.headers["cookie"] == "a=b; c=d"
        answer = await alice.get("/", cookie=pair)
        assert "cookie" not in answer.request.headers
        answer = await alice.post("logout", {}, cookie=pair)
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await alice.get("/", cookie=pair)).status == 401

    play(story)


def test_answers_tell_no_score_and_no_secret() -> None:
    async def story(alice: Client) -> None:
        for answer in (await alice.get("/"), await alice.login(), await alice.get("/")):
            names = [name for name, _ in answer.headers]
            assert not any(name.startswith("x-") for name in names)
        assert b"risk" not in (await alice.get("/ztna/status")).content

    play(story)


@pytest.mark.parametrize(
    ("user", "password"), [("alice", "wrong"), ("nobody", PASSWORD), ("alice", "x" * 2000)]
)
def test_a_wrong_password_and_a_wrong_name_look_alike(user: str, password: str) -> None:
    async def story(alice: Client) -> None:
        answer = await alice.login(user, password)
        assert (answer.status, answer.data()) == (
            401,
            {"type": "about:blank", "title": "Unauthorized", "status": 401},
        )
        assert alice.host.events.of(DENIED)[0].data["reason"] == "credentials"

    play(story)


def test_guessing_is_throttled_but_only_from_there() -> None:
    async def story(alice: Client) -> None:
        statuses = [(await alice.login(password=WRONG)).status for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        assert (await alice.login()).status == 429
        elsewhere = Client(alice.running, "203.0.113.1")
        assert (await elsewhere.login()).status == 200
        await alice.operate("lift", ip=CLIENT)
        assert (await alice.login()).status == 200
        assert alice.host.events.of(LIFT)

    play(story, attempts=3)


def test_many_attempts_at_once_do_not_slip_through() -> None:
    async def story(alice: Client) -> None:
        answers = await asyncio.gather(*(alice.login(password=WRONG) for _ in range(12)))
        assert sorted(a.status for a in answers) == [401] * 3 + [429] * 9

    play(story, attempts=3)


def test_a_flood_of_sign_ins_does_not_make_others_wait() -> None:
    async def story(alice: Client) -> None:
        answers = await asyncio.gather(*(alice.login(password=WRONG) for _ in range(WAITING + 5)))
        statuses = [answer.status for answer in answers]
        assert statuses.count(503) == 5
        assert {a.headers["retry-after"] for a in answers if a.status == 503} == {"1"}
        assert (await alice.login()).status == 200

    play(story, attempts=100)


def test_a_sign_in_that_takes_too_long_is_not_late_for_the_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_desk, "PATIENCE", 0.0001)  # less than any password takes

    async def story(alice: Client) -> None:
        answer = await alice.login()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")

    play(story)


def test_attempts_are_counted_for_all_workers_together() -> None:
    async def story(alice: Client) -> None:
        workers = [Throttle(alice.host, 3, 60.0) for _ in range(4)]
        takes = [worker.take("a", "192.0.2.1") for worker in workers for _ in range(2)]
        waits = await asyncio.gather(*takes)
        assert waits.count(0.0) == 3
        await workers[0].forget("192.0.2.1")
        assert await workers[0].take("a", "192.0.2.1") == 0.0
        alice.host.kv.available = False
        await workers[0].forget("192.0.2.1")
        assert any("not forgotten" in message for message in alice.host.messages)
        with pytest.raises(HostUnavailable):
            await workers[0].take("a", "192.0.2.1")

    play(story)


@pytest.mark.parametrize(
    ("content", "fields", "status"),
    [
        ({"username": "alice"}, {}, 400),
        ({"username": 5, "password": "x"}, {}, 400),
        ([], {}, 400),
        ({}, {"content_type": "text/plain"}, 415),
        ({"x": "y" * 40_000}, {}, 413),
        ({}, {"origin": "https://evil.example"}, 403),
    ],
)
def test_nonsense_is_refused(content: object, fields: dict[str, str], status: int) -> None:
    async def story(alice: Client) -> None:
        assert (await alice.post("login", content, **fields)).status == status

    play(story)


def test_there_is_nothing_else_below_the_prefix() -> None:
    async def story(alice: Client) -> None:
        assert (await alice.get("/ztna/login")).status == 405
        assert (await alice.get("/ztna/users")).status == 404
        assert (await alice.get("/ztna")).status == 404
        assert (await alice.get("/ztnaother")).status == 401
        assert (await alice.post("verify", {"type": "totp", "code": "1"})).status == 401
        broken = {"content-type": "application/json"}
        answer = await alice.running.request("POST", "/ztna/login", headers=broken, body=b"{")
        assert answer.status == 400

    play(story)
