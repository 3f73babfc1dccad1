"""Who may pass: by policies and by risk; and what is told of that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from plugbay_zerotrust import Config, Issuer, Policy
from plugbay_zerotrust._desk import DENIED
from ztna_client import CLIENT, PASSWORD, Client, play

from plugbay.sdk.protection import LIFT, THREAT


def test_in_monitor_mode_all_pass_and_it_is_told() -> None:
    async def story(alice: Client) -> None:
        assert (await alice.get("/")).passed
        assert alice.host.events.of(DENIED)[0].data["mode"] == "monitor"
        alice.host.kv.available = False
        alice.session = "a" * 24 + "." + "b" * 43
        assert (await alice.get("/")).passed

    play(story, mode="monitor")


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
