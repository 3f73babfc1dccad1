"""Waiting awake for the next message."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from plugbay.mcp.stdio._busy_poll import LOST, MISS, MOMENT, MOST, REST, BusyPoll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Session:
    """A client and a server that write when the clock has been read so many times."""

    def __init__(self, stack: ExitStack, client_out: tuple[int, int]) -> None:
        self.requests, self.answers = os.pipe(), os.pipe()
        self.client_reads, self.client_out = client_out
        for fd in (*self.requests, *self.answers):
            stack.callback(os.close, fd)
        self.looks, self.step = 0, MOMENT / 10
        self.comes: Callable[[int], None] = lambda look: None
        self.poll = BusyPoll(self.requests[0], self.client_out, self.answers[0], self._now)

    def _now(self) -> float:
        self.looks += 1
        self.comes(self.looks)
        return self.looks * self.step

    def looked(self, direction: str, in_flight: int) -> int:
        """Let a message pass; return how often the clock was read for what comes behind it."""
        self.looks = 0
        self.poll.passed("to-server" if direction == "to-server" else "to-client", in_flight)
        return self.looks

    def answer(self, look: int) -> None:
        """Answer at the third look."""
        if look == 3:
            os.write(self.answers[1], b"x")


@pytest.fixture(params=["pipe", "socket"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    with ExitStack() as stack:
        if request.param == "pipe":
            ends = os.pipe()
            for fd in ends:
                stack.callback(os.close, fd)
        else:
            pair = socket.socketpair()
            for one in pair:
                stack.callback(one.close)
            ends = pair[0].fileno(), pair[1].fileno()
        yield Session(stack, ends)


def test_it_looks_until_the_answer_is_there(session: Session) -> None:
    session.comes = session.answer
    assert session.looked("to-server", 1) == 3
    os.read(session.answers[0], 1)
    session.comes = lambda look: None
    assert session.looked("to-client", 0) > 10  # the client's next request, which does not come


def test_after_some_moments_for_nothing_it_rests_and_then_tries_again(session: Session) -> None:
    for _ in range(MOST // MISS):
        assert session.looked("to-server", 1) > 10
    for _ in range(REST):
        assert session.looked("to-server", 1) == 0
    assert session.looked("to-server", 1) > 10
    assert session.looked("to-server", 1) == 0  # for nothing again: it rests at once


def test_messages_that_come_in_time_make_up_for_one_that_does_not(session: Session) -> None:
    for _ in range(5):
        session.comes = lambda look: None
        assert session.looked("to-server", 1) > 10
        session.comes = session.answer
        for _ in range(MISS):
            assert session.looked("to-server", 1) == 3
            os.read(session.answers[0], 1)


def test_where_others_want_the_processor_it_rests_at_once(session: Session) -> None:
    session.step = 2 * LOST
    assert session.looked("to-server", 1) == 2
    assert session.looked("to-server", 1) == 0


def test_many_on_their_way_are_not_waited_for_awake(session: Session) -> None:
    assert session.looked("to-server", 2) == 0
    for _ in range(REST):
        assert session.looked("to-client", 1) == 0
    assert session.looked("to-server", 1) > 10


def test_a_client_that_asks_more_before_it_is_answered_is_left_to_it(session: Session) -> None:
    os.write(session.requests[1], b"one more")
    assert session.looked("to-server", 1) == 1
    os.read(session.requests[0], 100)
    for _ in range(REST):
        assert session.looked("to-server", 1) == 0
    os.write(session.requests[1], b"the next")
    assert session.looked("to-client", 0) == 0  # nobody has asked since
    os.read(session.requests[0], 100)
    assert session.looked("to-server", 1) > 10
    os.write(session.requests[1], b"the next")
    assert session.looked("to-client", 0) == 1
    os.read(session.requests[0], 100)
    assert session.looked("to-client", 0) > 10


def test_a_client_that_has_not_read_all_does_not_wait_for_one_answer(session: Session) -> None:
    os.write(session.client_out, b"an answer")
    assert session.looked("to-server", 1) == 0
    os.read(session.client_reads, 100)
    assert session.looked("to-server", 1) > 10
