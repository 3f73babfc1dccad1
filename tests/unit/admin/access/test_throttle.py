"""How often a password may be wrong."""

from __future__ import annotations

import pytest

from plugbay.admin.access import SignInThrottle, ThrottleRule, network
from plugbay.kernel import TooManyRequests

from ..conftest import V1, Clock, World

RULE = ThrottleRule(free=3, delay=2.0, longest=60.0, forget=600.0)


def wait_of(throttle: SignInThrottle, user: str, address: str) -> float:
    with pytest.raises(TooManyRequests) as caught:
        throttle.attempt(user, address)
    return caught.value.retry_after


def test_each_failure_doubles_the_wait_up_to_a_bound() -> None:
    clock = Clock()
    throttle = SignInThrottle(clock, RULE)
    for _ in range(3):
        throttle.attempt("eve", "192.0.2.1")
    waits: list[float] = []
    for _ in range(7):
        waits.append(wait_of(throttle, "eve", "192.0.2.1"))
        clock.now += waits[-1]
        throttle.attempt("eve", "192.0.2.1")
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    clock.now += 600
    for _ in range(3):
        throttle.attempt("eve", "192.0.2.1")


def test_accounts_and_networks_are_counted_each_for_itself() -> None:
    throttle = SignInThrottle(Clock(), RULE)
    for host in (1, 2, 3):
        throttle.attempt("admin", f"192.0.2.{host}")
    assert wait_of(throttle, "admin", "198.51.100.1") == 2
    throttle.attempt("other", "198.51.100.1")
    for user in ("a", "b", "c"):
        throttle.attempt(user, "2001:db8::1")
    assert wait_of(throttle, "d", "2001:db8::ffff") == 2


def test_a_stranger_does_not_lock_the_owner_out() -> None:
    throttle = SignInThrottle(Clock(), RULE)
    throttle.attempt("admin", "192.0.2.1")
    throttle.succeeded("admin", "192.0.2.1")
    for host in range(20, 23):
        throttle.attempt("admin", f"192.0.2.{host}")
    assert wait_of(throttle, "admin", "192.0.2.23") == 2
    throttle.attempt("admin", "192.0.2.1")


def test_one_own_account_does_not_pay_for_guesses_at_others() -> None:
    clock = Clock()
    throttle, ends, guesses = SignInThrottle(clock, RULE), clock.now + 600, 0
    while clock.now < ends:
        try:
            throttle.attempt("mine", "192.0.2.1")
            throttle.succeeded("mine", "192.0.2.1")
            throttle.attempt(f"victim{guesses}", "192.0.2.1")
            guesses += 1
        except TooManyRequests as error:
            clock.now += error.retry_after
    assert 3 <= guesses < 20


def test_what_is_remembered_is_bounded() -> None:
    throttle = SignInThrottle(Clock(), RULE)
    for number in range(12_000):
        address = f"10.{number >> 16}.{(number >> 8) & 255}.{number & 255}"
        throttle.attempt(f"user{number}", address)
        throttle.succeeded(f"user{number}", address)
    assert len(throttle._failures) <= 10_000
    assert len(throttle._known) <= 10_000


@pytest.mark.parametrize(
    ("address", "expected"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::1:2", "2001:db8::/64"), ("", ""), ("unix", "unix")],
)
def test_an_ipv6_client_has_a_whole_network(address: str, expected: str) -> None:
    assert network(address) == expected


def test_a_blocked_sign_in_says_for_how_long(world: World) -> None:
    path, wrong = f"{V1}/sessions", {"username": "admin", "password": "x"}
    answers = [world.client.post(path, json=wrong) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    last = answers[-1]
    assert last.headers["retry-after"] == "2"
    assert last.headers["ratelimit"] == '"sign-in";r=0;t=2'
    assert last.headers["ratelimit-policy"] == '"sign-in";q=5;w=3600'
    # The network is blocked for every user, a right password does not help, and time does.
    other = world.client.post(path, json={"username": "eve", "password": "x"})
    assert other.status_code == 429
    right = {"username": "admin", "password": world.password}
    assert world.client.post(path, json=right).status_code == 429
    world.clock.now += 2
    assert world.client.post(path, json=right).status_code == 201


def test_nobody_learns_which_users_there_are(world: World) -> None:
    path = f"{V1}/sessions"
    world.ask("POST", "/users", json={"name": "off", "roles": ["viewer"], "password": "x" * 12})
    world.ask("PATCH", "/users/off", json={"disabled": True})
    answers = [
        world.client.post(path, json={"username": name, "password": word})
        for name, word in (("admin", "x"), ("nobody", "x"), ("off", "x" * 12))
    ]
    said = [{**answer.json(), "request_id": ""} for answer in answers]
    assert said[0] == said[1] == said[2]
    assert {answer.status_code for answer in answers} == {401}
