"""Tiers, authorizations, the queue, and what is printed."""

from __future__ import annotations

import asyncio
import logging

import pytest

from plugbay.km import Voice, ago
from plugbay.km._authorization import Authorizations, lifetime
from plugbay.km._dump import LONGEST_DUMP, Dump
from plugbay.km._queue import Backlog
from plugbay.km._tiers import permits, spelled, stricter
from plugbay.runtimes.process import KmAuthorization


class Clock:
    now = 1_000_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("required", "granted", "may"),
    [
        ("Free", "Free", True),
        ("Free", "Enterprise", True),
        ("pro", "PRO", True),
        ("Pro", "Free", False),
        ("Enterprise", "Pro", False),
        ("Free", "", False),
        ("", "Enterprise", False),
        ("Gold", "Enterprise", False),
    ],
)
def test_tiers(required: str, granted: str, may: bool) -> None:
    assert permits(required, granted) is may


def test_of_a_crash_of_go_only_the_beginning_is_shown() -> None:
    dump = Dump()
    assert dump.shows("runtime.goexit({})")  # not behind a crash
    assert dump.shows("fatal error: runtime: out of memory")
    places = ["goroutine 1 [running]:", "main.main()", "\t/src/main.go:3 +0x1", "runtime stack:"]
    shown = [dump.shows(line) for line in places * 10]
    assert shown == [n + 1 < LONGEST_DUMP for n in range(40)]
    assert dump.shows("it goes on all the same")


def test_tabs_are_shown_and_nothing_that_moves_a_cursor() -> None:
    lines: list[str] = []
    Voice(lines.append).line("p", logging.INFO, "a\tb\x1b[2Jc", {"stream": "stderr"})
    assert lines == ["[p] a    b\N{REPLACEMENT CHARACTER}[2Jc\n"]


def test_what_is_amiss_can_be_told_elsewhere() -> None:
    lines: list[str] = []
    amiss: list[str] = []
    voice = Voice(lines.append, warn=amiss.append)
    voice.say("it runs")
    voice.warn("it stays away")
    assert lines == ["[PluginHandler] it runs\n"]
    assert amiss == ["[PluginHandler] it stays away\n"]


def test_the_stricter_of_two_tiers() -> None:
    assert stricter("Free", "Pro") == stricter("Pro", "Free") == "Pro"
    assert stricter("Enterprise", "Gold") == "Gold"
    assert (spelled("fReE"), spelled("Gold")) == ("Free", "Gold")


def test_authorizations_count_as_long_as_the_plugin_says_and_an_hour_at_most() -> None:
    clock = Clock()
    kept = Authorizations(clock)
    said = KmAuthorization(True, "Free", (), "")
    grant = kept.put("a", "key", said)
    assert (grant.until - clock.now, grant.renew - clock.now) == (300.0, 270.0)
    assert kept.get("a", "key") == grant
    assert kept.get("a", "other") is None
    assert kept.get("b", "key") is None
    clock.now += 301
    assert kept.get("a", "key") is None
    kept.put("a", "key", said)
    kept.drop("a", "key")
    assert kept.get("a", "key") is None


def test_times_are_read_as_in_rfc_3339() -> None:
    assert lifetime("1970-01-01T00:01:40Z", 0.0) == 100.0
    assert lifetime("1970-01-01T01:01:40+01:00", 0.0) == 100.0
    assert lifetime("1970-01-01T00:01:40", 0.0) == 100.0
    assert lifetime("2100-01-01T00:00:00Z", 0.0) == 3600.0
    assert lifetime("1969-01-01T00:00:00Z", 0.0) == 0.0
    assert lifetime("soon", 0.0) == 300.0


def test_the_queue_drops_the_oldest_by_number_and_by_size() -> None:
    async def call(_: object) -> None: ...

    queue = Backlog(items=3, size=100)
    calls = [lambda plugin, n=n: call(n) for n in range(6)]
    for one in calls[:4]:
        queue.put(one, 10)
    assert (len(queue), queue.dropped) == (3, 1)
    queue.put(calls[4], 95)
    assert (len(queue), queue.dropped) == (1, 4)
    queue.put(calls[5], 500)
    assert len(queue) == 1
    assert queue.take() is calls[5]
    queue.put(calls[0])
    assert queue.clear() == 6
    assert queue.clear() == 0
    asyncio.run(call(None))


def test_how_long_ago() -> None:
    assert ago(None, 0) == "Never"
    assert ago(100, 90) == ago(100, 159) == "Just now"
    assert ago(0, 60) == "1 minute ago"
    assert ago(0, 7300) == "2 hours ago"
    assert ago(0, 200_000) == "2 days ago"


def test_a_plugins_words_do_not_govern_the_terminal() -> None:
    lines: list[str] = []
    voice = Voice(lines.append)
    voice.line("p", logging.INFO, "\x1b]0;evil\x07 → fine", {"stream": "stderr"})
    voice.line("p", logging.DEBUG, "for authors", {"stream": "stderr"})
    voice.line("p", logging.WARNING, "a note of the host's", {})
    voice.debug("a step")
    assert lines == ["[p] \N{REPLACEMENT CHARACTER}]0;evil\N{REPLACEMENT CHARACTER} → fine\n"]
