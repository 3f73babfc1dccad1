"""How long a session lasts, and that it is the same in all workers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plugbay_zerotrust import Config, ZeroTrust
from plugbay_zerotrust._records import Session
from plugbay_zerotrust._sessions import SessionChanged, Sessions
from ztna_client import Client, play

from plugbay.sdk import OperationRefused
from plugbay.sdk.testing import FakeHost, run_plugin


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
