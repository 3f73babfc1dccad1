"""What administrators ask of the plugin."""

from __future__ import annotations

from typing import Any

import pytest
from ztna_client import CLIENT, PASSWORD, Client, play

from plugbay.sdk import OperationRefused

ANOTHER = "another password"


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
