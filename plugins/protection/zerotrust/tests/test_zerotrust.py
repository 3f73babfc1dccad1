"""Who gets in, and how far."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from plugbay_zerotrust import Config, Issuer, Policy, _desk
from plugbay_zerotrust._desk import CREATED, DENIED
from plugbay_zerotrust._passwords import WAITING
from plugbay_zerotrust._records import Session
from plugbay_zerotrust._sessions import SessionChanged, Sessions
from plugbay_zerotrust._throttle import Throttle
from ztna_client import CLIENT, ORIGIN, PASSWORD, RP, Authenticator, Client, play

from plugbay.sdk import HostUnavailable, OperationRefused
from plugbay.sdk.protection import LIFT, THREAT
from plugbay.sdk.testing import FakeHost

WRONG, ANOTHER = "wrong password", "another password"
PASSKEYS = {"rp_id": RP, "origins": (ORIGIN,)}


# --- signing in


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


def test_a_session_that_has_ended_is_not_brought_back_by_a_change() -> None:
    async def story(alice: Client) -> None:
        host = alice.host
        one, other = (
            Sessions(host, idle=900.0, absolute=9000.0, most=10, cache=5.0) for _ in range(2)
        )
        await alice.login()
        user = await one.user("alice")
        assert user is not None
        session = Session(
            user="alice",
            roles=[],
            epoch=user.epoch,
            began=host.clock.time(),
            proved=host.clock.time(),
            address="192.0.2.1",
            methods=["password"],
        )
        token = await one.begin(session)
        here, there = await one.find(token), await other.find(token)
        assert here is not None
        assert there is not None
        await one.update(here, replace(session, challenge="x"))
        with pytest.raises(SessionChanged):  # a challenge is for one use in all workers
            await other.update(there, replace(session, challenge=""))
        there = await other.find(token)
        assert there is not None
        await one.end(here.digest, "logout")
        with pytest.raises(SessionChanged):
            await other.update(there, session)
        assert await one.find(token) is None
        assert await one.change("nobody", lambda user: None) is None

    play(story)


def test_of_two_workers_one_takes_a_one_time_password() -> None:
    async def story(alice: Client) -> None:
        workers = [
            Sessions(alice.host, idle=900.0, absolute=9000.0, most=10, cache=5.0) for _ in range(3)
        ]
        took = await asyncio.gather(*(worker.use_step("alice", 5) for worker in workers))
        assert sorted(took) == [False, False, True]
        assert not await workers[0].use_step("alice", 4)
        assert await workers[1].use_step("alice", 6)

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


def test_in_monitor_mode_all_pass_and_it_is_told() -> None:
    async def story(alice: Client) -> None:
        assert (await alice.get("/")).passed
        assert alice.host.events.of(DENIED)[0].data["mode"] == "monitor"
        alice.host.kv.available = False
        alice.session = "a" * 24 + "." + "b" * 43
        assert (await alice.get("/")).passed

    play(story, mode="monitor")


# --- sessions


def test_sessions_end_when_idle_and_at_last() -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        for _ in range(5):
            alice.host.clock.advance(250)
            assert (await alice.get("/")).passed
        alice.host.clock.advance(300)
        assert (await alice.get("/")).status == 401
        await alice.login()
        for _ in range(11):
            assert (await alice.get("/")).passed
            alice.host.clock.advance(290)
        assert (await alice.get("/")).status == 401

    play(story, session_idle=300.0, session_absolute=3000.0)


def test_sessions_are_those_of_all_workers() -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        session = alice.session
        assert (await alice.get("/")).passed

        async def elsewhere(other: Client) -> None:
            other.session = session
            assert (await other.get("/")).passed
            assert (await other.post("logout", {})).status == 200

        from plugbay_zerotrust import ZeroTrust

        from plugbay.sdk.testing import run_plugin

        host = FakeHost(clock=alice.host.clock)
        host.kv = alice.host.kv
        async with run_plugin(ZeroTrust, Config(mode="enforce"), host=host) as running:
            await elsewhere(Client(running))
        (ended,) = host.events.of("ztna.session.terminated")
        await alice.running.event(ended.topic, **ended.data)
        assert (await alice.get("/")).status == 401

    play(story)


def test_a_known_session_outlasts_the_database_for_a_while() -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        assert (await alice.get("/")).passed
        alice.host.kv.available = False
        alice.host.clock.advance(100)
        assert (await alice.get("/")).passed
        stranger = Client(alice.running)
        stranger.session = "a" * 24 + "." + "b" * 43
        assert (await stranger.get("/")).status == 503
        assert (await stranger.login()).status == 503
        alice.host.clock.advance(400)
        assert (await alice.get("/")).status == 503
        with pytest.raises(OperationRefused, match="away"):
            await alice.operate("users")

    play(story)


def test_what_is_no_session_is_nobody() -> None:
    async def story(alice: Client) -> None:
        for token in ("x", "a" * 24 + "." + "b" * 43, "é"):
            alice.session = token
            assert (await alice.get("/")).status == 401
            assert (await alice.get("/")).status == 401
        assert (await alice.get("/ztna/status")).data() == {"authenticated": False}

    play(story)


# --- factors


def test_a_one_time_password_is_asked_for_and_counts_once() -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        totp = await alice.totp()
        assert (await alice.get("/ztna/status")).data()["level"] == 2
        answer = await alice.login()
        assert answer.data()["status"] == "mfa_required"
        assert (await alice.get("/")).data()["need"] == "second-factor"
        assert (await alice.get("/ztna/device")).status == 401
        used = alice.code(totp)
        pending = alice.session
        assert (
            await alice.post("verify", {"type": "totp", "code": used})
        ).status == 401  # enrolled by it
        alice.host.clock.advance(30)
        code = alice.code(totp)
        assert (await alice.post("verify", {"type": "totp", "code": "12345x"})).status == 401
        assert (await alice.post("verify", {"type": "totp", "code": code})).status == 200
        assert (await alice.get("/")).passed
        assert alice.session != pending
        await alice.login()
        assert (await alice.post("verify", {"type": "totp", "code": code})).status == 401

    play(story, attempts=10)


def test_a_password_is_no_second_factor() -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        await alice.totp()
        await alice.login()
        answer = await alice.post("verify", {"type": "password", "password": PASSWORD})
        assert answer.data()["status"] == "mfa_required"
        assert (await alice.get("/")).status == 401
        assert (await alice.post("verify", {"type": "sms"})).status == 400

    play(story)


def test_a_passkey_is_enrolled_and_proved() -> None:
    key = Authenticator()

    async def story(alice: Client) -> None:
        await alice.login()
        options = (await alice.post("device", {"type": "webauthn"})).data()["options"]
        credential = key.create(options)
        answer = await alice.post("device", {"type": "webauthn", "credential": credential})
        assert answer.status == 200
        assert len((await alice.get("/ztna/device")).data()["webauthn"]) == 1
        assert (await alice.login()).data()["methods"] == ["webauthn"]
        options = (await alice.post("verify", {"type": "webauthn"})).data()["options"]
        proof = {"type": "webauthn", "credential": key.get(options)}
        assert (await alice.post("verify", proof)).status == 200
        assert (await alice.get("/")).passed
        assert (await alice.post("verify", proof)).status == 401  # its challenge is used up

    play(story, **PASSKEYS)


def test_a_passkey_of_another_page_or_without_its_user_is_refused() -> None:
    key = Authenticator()

    async def asked(alice: Client) -> dict[str, Any]:
        answer = await alice.post("verify", {"type": "webauthn"})
        found: dict[str, Any] = answer.data()["options"]
        return found

    async def story(alice: Client) -> None:
        await alice.login()
        options = (await alice.post("device", {"type": "webauthn"})).data()["options"]
        wrong = key.create(options, origin="https://evil.example")
        answer = await alice.post("device", {"type": "webauthn", "credential": wrong})
        assert answer.status == 401
        options = (await alice.post("device", {"type": "webauthn"})).data()["options"]
        await alice.post("device", {"type": "webauthn", "credential": key.create(options)})
        await alice.login()
        evil = key.get(await asked(alice), origin="https://evil.example")
        silent = key.get(await asked(alice), flags=0x01)
        stranger = Authenticator().get(await asked(alice))
        for credential in (evil, silent, stranger, {}, {"rawId": "!"}):
            await asked(alice)
            proof = {"type": "webauthn", "credential": credential}
            assert (await alice.post("verify", proof)).status == 401
        key.count = 0
        good = key.get(await asked(alice))
        assert (await alice.post("verify", {"type": "webauthn", "credential": good})).status == 200
        key.count = 0  # a clone
        cloned = key.get(await asked(alice))
        assert (
            await alice.post("verify", {"type": "webauthn", "credential": cloned})
        ).status == 401

    play(story, attempts=20, **PASSKEYS)


def test_without_a_domain_there_are_no_passkeys() -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        assert (await alice.post("device", {"type": "webauthn"})).status == 409
        assert (await alice.post("verify", {"type": "webauthn"})).status == 409
        proof = {"type": "webauthn", "credential": {}}
        assert (await alice.post("verify", proof)).status == 401

    play(story)


# --- policies


def test_policies_ask_for_roles_levels_and_freshness() -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        assert (await alice.get("/boss/x")).status == 403
        assert (await alice.get("/BOSS")).status == 403
        assert (await alice.get("/bossy")).passed
        assert (await alice.get("/vault")).data()["need"] == "level"
        await alice.totp()
        assert (await alice.get("/vault")).passed
        assert (await alice.get("/now")).passed
        alice.host.clock.advance(61)
        assert (await alice.get("/now")).data()["need"] == "fresh"
        await alice.post("verify", {"type": "password", "password": PASSWORD})
        assert (await alice.get("/now")).passed

    policies = (
        Policy(name="boss", paths=("/boss",), roles=("admin",)),
        Policy(name="vault", paths=("/vault",), level=2),
        Policy(name="now", paths=("/now",), fresh=60.0, methods=("GET",)),
    )
    play(story, policies=policies)


@pytest.mark.parametrize("path", ["/a/%2e%2e/b", "/a%5cb", "/a;x", "/a%252fb", "/%00"])
def test_a_path_that_may_mean_another_is_refused(path: str) -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        assert (await alice.get(path)).status == 403

    play(story, policies=(Policy(name="open", public=True),))


def test_decisions_are_audited() -> None:
    async def story(alice: Client) -> None:
        await alice.get("/")
        await alice.login()
        await alice.get("/")
        await alice.get("/")
        records = [vars(r) for r in alice.host.records if r.getMessage() == "policy decision"]
        assert [(r["outcome"], r["user"]) for r in records] == [("sign-in", ""), ("allow", "alice")]
        assert {f["factor"] for f in records[1]["factors"]} == set(Config().weights)
        assert all(f["why"] for f in records[1]["factors"])
        assert alice.host.events.of("ztna.access.granted")[0].data["policy"] == "default"
        (asked,) = alice.host.events.of("ztna.authentication.required")
        assert asked.data["outcome"] == "sign-in"
        (assessed,) = alice.host.events.of("ztna.risk.score.updated")
        assert assessed.data["user"] == "alice"
        assert set(assessed.data["factors"]) == set(Config().weights)
        said = json.dumps([str(vars(r)) for r in alice.host.records])
        assert PASSWORD not in said
        assert alice.session not in said

    play(story)


# --- administrators


def test_administrators_manage_users() -> None:
    async def story(alice: Client) -> None:
        again = await alice.operate("create", user="alice", password=PASSWORD, roles=["staff"])
        assert again["user"] == "alice"
        await alice.login()
        await alice.totp()
        (shown,) = (await alice.operate("users"))["items"]
        assert shown["factors"] == ["totp"]
        (session,) = (await alice.operate("sessions", user="alice"))["items"]
        assert session["address"] == CLIENT
        await alice.operate("revoke", user="alice")
        assert (await alice.get("/")).status == 401
        await alice.operate("reset", user="alice", password=ANOTHER)
        assert (await alice.login()).status == 401
        assert (await alice.login(password=ANOTHER)).data()["status"] == "success"
        await alice.operate("disable", user="alice")
        assert (await alice.get("/")).status == 401
        assert (await alice.login(password=ANOTHER)).status == 401
        await alice.operate("enable", user="alice")
        assert (await alice.login(password=ANOTHER)).status == 200
        assert (await alice.operate("status"))["mode"] == "enforce"
        assert (await alice.operate("check", ip=CLIENT))["threat"] == ""

    play(story)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("create", {"user": "alice", "password": "another password"}),
        ("create", {"user": "bob", "password": "short"}),
        ("create", {"user": "bob", "password": PASSWORD, "roles": [5]}),
        ("create", {"password": PASSWORD}),
        ("disable", {"user": "nobody"}),
        ("check", {}),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, arguments: dict[str, Any]) -> None:
    async def story(alice: Client) -> None:
        with pytest.raises(OperationRefused):
            await alice.operate(name, **arguments)

    play(story)


# --- risk


def test_what_others_tell_asks_for_more_and_is_lifted() -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        assert (await alice.get("/")).passed
        await alice.running.event(THREAT, identity=CLIENT, reason="indicator")
        await alice.running.event("ml.traffic_anomaly", identity=CLIENT, reason="odd")
        assert (await alice.get("/")).data()["need"] == "risk"
        found = await alice.operate("check", ip=CLIENT)
        assert (found["threat"], found["anomaly"]) == ("indicator", "odd")
        await alice.running.event(LIFT, identity=CLIENT)
        assert (await alice.get("/")).passed

    play(story, step_risk=0.4)


def test_too_much_risk_is_refused() -> None:
    async def story(alice: Client) -> None:
        await alice.login()
        alice.address = "203.0.113.1"
        await alice.running.event(THREAT, identity="203.0.113.1")
        assert (await alice.get("/")).status == 403

    play(story, step_risk=0.3, max_risk=0.4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefix": "ztna"},
        {"session_idle": 0},
        {"cache_seconds": 0},
        {"step_risk": 0.9},
        {"weights": {"luck": 1.0}},
        {"weights": {"device": 0.0}},
        {"policies": (Policy(name="x", level=3),)},
        {"policies": (Policy(name="x", paths=("x",)),)},
        {"rp_id": "x"},
        {"trusted": ("x",)},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|appear"):
        Config(**wrong)


def test_an_issuer_is_plain_data() -> None:
    assert Issuer(issuer="https://id.example", audience="app").roles_claim == "roles"
