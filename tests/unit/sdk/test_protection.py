"""What the protection plugins have in common: identities, networks, times, verdicts."""

from __future__ import annotations

import asyncio

import pytest

from plugbay.sdk import Drip, OperationRefused, Request
from plugbay.sdk.protection import (
    LIFT,
    THREAT,
    VERDICT,
    VIOLATION,
    Guard,
    Identities,
    Ledger,
    Networks,
    Timed,
    Verdict,
    _identity,
    _networks,
    address_identity,
    asked,
    asked_identity,
    number_of,
)
from plugbay.sdk.protection._ledger import MOST
from plugbay.sdk.testing import FakeHost


@pytest.mark.parametrize(
    ("client", "identity"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unknown", "unknown"),
        ("a:b", "a:b"),
        ("1.2.3.4%:", "1.2.3.4%:"),
        ("", ""),
    ],
)
def test_an_address_stands_for_who_has_it(client, identity):
    assert address_identity(client) == identity


def test_a_request_is_identified_once():
    request = Request(
        "GET", "/", client="2001:db8::1", headers={"x-key": "k", "cookie": "a=1; s=t"}
    )
    who = Identities("X-Key", "s").of(request)
    assert (who.client, who.address) == ("2001:db8::1", "2001:db8::/64")
    assert who.key.startswith("key:")
    assert who.session.startswith("session:")
    assert "k" not in who.key.partition(":")[2].replace("key", "")[16:]
    assert who.names == (who.session, who.key, who.address)
    assert Identities().of(request) is who
    other = Identities("x-key").of(request)  # of a plugin that reads no cookie
    assert (other.key, other.session) == (who.key, "")
    assert Identities("x-key", "s").of(request) is who
    assert repr(who).startswith("<Identity session:")


def test_who_comes_first_and_reads_no_secret_hides_none():
    request = Request("GET", "/", client="192.0.2.1", headers={"cookie": "s=t"})
    assert Identities().of(request).session == ""
    assert Identities("", "s").of(request).session


def test_without_a_secret_the_address_is_all(monkeypatch):
    monkeypatch.setattr(_identity, "_MEMO", 2)
    identities = Identities("x-key", "s")
    for client in ("a", "b", "c", "d" * 100):
        who = identities.of(Request("GET", "/", client=client, headers={"cookie": "x=y"}))
        assert who.names == (client,)
    assert len(identities._memo) <= 2


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("0.0.1.2", (4, 258)),
        ("::1", (6, 1)),
        ("::ffff:0.0.1.2", (4, 258)),
        ("127.1", None),
        ("1.2.3.4 x", None),
        ("1.2.3.256", None),
        ("::g", None),
        ("", None),
    ],
)
def test_an_address_is_a_number(address, number):
    assert number_of(address) == number


def test_networks_hold_addresses(monkeypatch):
    monkeypatch.setattr(_networks, "_MEMO", 3)
    networks = Networks(("10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8", " 192.0.2.7", "2001:db8::/32"))
    inside = ("10.0.0.0", "11.255.255.255", "192.0.2.7", "2001:db8:1::1", "::ffff:10.0.0.1")
    assert [address in networks for address in inside] == [True] * 5
    outside = ("9.255.255.255", "12.0.0.0", "192.0.2.8", "2001:db9::", "unknown", "x" * 100, "::")
    assert [address in networks for address in outside] == [False] * 7
    assert networks
    assert not Networks()
    with pytest.raises(ValueError, match="does not appear"):
        Networks(("10.0.0.0/99",))


def test_entries_end_and_the_table_is_bounded():
    table = Timed(8)
    for n in range(8):
        table.put(str(n), n, 10.0 + n, now=0.0)
    table.put("0", 100, 50.0, now=0.0)
    assert (len(table), table.dropped) == (8, 0)
    table.put("new", 9, 60.0, now=0.0)
    assert (len(table), table.dropped) == (8, 1)
    assert table.get("1", 0.0) is None  # it would have ended first
    assert table.get("0", 0.0) == 100
    assert table.get("2", 12.0) is None
    assert table.until("2") == 0.0
    table.put("more", 1, 99.0, now=30.0)
    table.put("most", 1, 99.0, now=30.0)
    assert [key for key, _, _ in table.items(30.0)] == ["0", "new", "more", "most"]
    assert table.pop("new") == 9
    assert table.pop("new") is None


def test_a_verdict_travels_as_plain_data():
    verdict = Verdict(action="ban", identity="192.0.2.1", reason="geo", seconds=5.0)
    assert Verdict.of(verdict.data()) == verdict
    for wrong in (
        {},
        {"action": "no", "identity": "a"},
        {"action": "ban", "identity": ""},
        {"action": "ban", "identity": 7},
        {"action": "ban", "identity": "a", "seconds": "x"},
        {"action": "ban", "identity": "a", "seconds": float("nan")},
        {"action": "ban", "identity": "a", "seconds": 1e12},
    ):
        assert Verdict.of(wrong) is None
    long = Verdict.of({"action": "ban", "identity": "x" * 999, "reason": "y" * 999})
    assert long is not None
    assert (len(long.identity), len(long.reason)) == (256, 64)


def verdict(**parts):
    return Verdict(**{"action": "block", "identity": "192.0.2.1", "reason": "rate", **parts})


def test_a_guard_that_monitors_lets_pass_and_tells_once():
    host = FakeHost()
    guard = Guard(host, "monitor")
    assert not guard.enforces
    for _ in range(3):
        assert guard.judge(verdict(action="ban", seconds=9), topic=VIOLATION) is None
    assert [e.data["mode"] for e in host.events.of(VIOLATION)] == ["monitor"]
    assert not host.events.of(VERDICT)
    host.clock.advance(1.1)
    guard.judge(verdict(), topic=VIOLATION, client="c")
    assert host.events.of(VIOLATION)[1].data["client"] == "c"


def test_a_guard_that_enforces_answers_and_asks_others():
    host = FakeHost()
    guard = Guard(host, "enforce")
    refused = guard.judge(verdict(status=429, retry_after=3.2), topic=VIOLATION)
    assert refused is not None
    assert (refused.status, refused.headers["retry-after"]) == (429, "4")
    banned = guard.judge(verdict(action="ban", seconds=60), topic=THREAT)
    assert banned is not None
    assert banned.status == 403
    assert "retry-after" not in banned.headers
    (order,) = host.events.of(VERDICT)
    assert order.data["action"] == "ban"
    held = guard.judge(verdict(action="tarpit"), topic=THREAT)
    assert held is not None
    assert isinstance(held.body, Drip)
    assert guard.judge(verdict(action="allow"), topic=THREAT) is None
    waiting = guard.answer(verdict(status=429, seconds=2))
    assert waiting.headers["retry-after"] == "2"


def test_who_is_lifted_is_told_of_again():
    host = FakeHost()
    guard = Guard(host, "enforce")
    guard.judge(verdict(), topic=VIOLATION)
    guard.judge(verdict(identity="other"), topic=VIOLATION)
    guard.lift("192.0.2.1")
    assert host.events.of(LIFT)[0].data == {"identity": "192.0.2.1"}
    guard.judge(verdict(), topic=VIOLATION)
    guard.judge(verdict(identity="other"), topic=VIOLATION)
    assert len(host.events.of(VIOLATION)) == 3


def test_a_drip_has_a_rhythm():
    for wrong in ({"interval": 0}, {"seconds": 0}, {"data": b""}):
        with pytest.raises(ValueError, match="more than 0"):
            Drip(**wrong)
    drip = Drip()
    drip.release()  # nobody holds it
    drip.over()


# --- ledgers, and whom an operation names


def test_a_ledger_outlives_a_generation_and_a_gateway():
    async def story():
        host, tables = FakeHost(), {"refused": Timed[str](1000), "lifted": Timed[str](1000)}
        now = host.clock.time()
        for n in range(MOST + 10):
            tables["lifted"].put(f"198.51.100.{n}", "x" * 100, now + 60 + n, now)
        tables["refused"].put("192.0.2.1", "why", now + 60, now)
        ledger = Ledger(host, "lifts", tables, kept=("lifted",))
        await ledger.keep()
        after = {"refused": Timed[str](1000), "lifted": Timed[str](1000)}
        again = Ledger(host, "lifts", after, kept=("lifted",))
        await again.load()
        assert (len(after["refused"]), len(after["lifted"])) == (0, MOST)  # the last of them
        again.take(ledger.dump())
        assert after["refused"].get("192.0.2.1", now) == "why"
        assert after["refused"].until("192.0.2.1") == now + 60
        host.kv.available = False
        await again.keep()
        await again.load()
        assert [m.partition(":")[0] for m in host.messages] == [
            "lifts are not kept",
            "lifts cannot be read",
        ]
        await host.close()

    asyncio.run(story())


def test_an_operation_names_somebody():
    assert asked_identity({"ip": "2001:db8::1"}) == "2001:db8::/64"
    assert asked_identity({"identity": "key:1", "ip": "192.0.2.1"}) == "key:1"
    assert asked({"domain": "a.example"}, "ip", "domain") == "a.example"
    for wrong in ({}, {"ip": 5}, {"ip": ""}, {"identity": "x" * 257}):
        with pytest.raises(OperationRefused, match="say whom"):
            asked_identity(wrong)
