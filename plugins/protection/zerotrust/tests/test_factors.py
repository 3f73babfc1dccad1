"""One-time passwords and passkeys."""

from __future__ import annotations

import asyncio
from typing import Any

from plugbay_zerotrust._sessions import Sessions
from ztna_client import ORIGIN, PASSWORD, RP, Authenticator, Client, play

PASSKEYS = {"rp_id": RP, "origins": (ORIGIN,)}


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
