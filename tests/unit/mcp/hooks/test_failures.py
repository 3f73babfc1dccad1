"""Plugins that fail, are late, answer what they may not, or do not run."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from plugbay.mcp import Chain
from plugbay.observability import Registry
from plugbay.sdk import Block
from unit.mcp.talk import Talk, member, run


def boom(_):
    raise ValueError("boom")


async def slow(_):
    await asyncio.sleep(30)


@pytest.mark.parametrize("hook", [boom, slow])
@pytest.mark.parametrize(
    ("mode", "blocks"), [("guard", True), ("check", True), ("transform", False)]
)
def test_a_plugin_that_fails_harms_by_its_policy_only(mode, blocks, hook):
    async def main():
        talk = Talk(member("bad", mode, ms=20, on_tool_call=hook))
        sent = await talk.call()
        assert bool(sent.back) is blocks
        assert bool(sent.forward) is not blocks
        if blocks:
            facts = json.loads(sent.back)["result"]["_meta"]["plugbay/block"]
            assert facts["code"] == 50001
        talk = Talk(member("bad", mode, ms=20, closed=not blocks, on_tool_call=hook))
        assert bool((await talk.call()).back) is not blocks

    run(main)


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        ("check", lambda m: m.with_arguments({})),
        ("transform", lambda m: Block("no")),
        ("guard", lambda m: "nonsense"),
    ],
)
def test_an_answer_that_the_mode_does_not_allow_is_a_failure(mode, answer):
    async def main():
        one = member("bad", mode, closed=True, on_tool_call=answer)
        talk = Talk(one)
        facts = json.loads((await talk.call()).back)["result"]["_meta"]["plugbay/block"]
        assert facts["code"] == 50001
        assert one.generation.vitals.failures == 1

    run(main)


def test_a_plugin_that_does_not_run_is_not_passed_over():
    async def main():
        gone = member("gone", on_tool_call=lambda m: None)
        gone.generation.instance = None
        assert json.loads((await Talk(gone).call()).back)["result"]["isError"]

    run(main)


def test_what_hooks_did_is_counted_when_somebody_looks():
    asked = 300  # more than are noted at once

    def fail_once(message):
        if message.id == 7:
            raise ValueError("seven")

    def change_one(message):
        return message.with_arguments({"changed": True}) if message.id == 9 else None

    async def main():
        names, hooks = ("first", "frail", "change", "last"), (None, fail_once, change_one, None)
        members = [
            member(name, priority=n, closed=False, on_tool_call=hook or (lambda m: None))
            for n, (name, hook) in enumerate(zip(names, hooks, strict=True))
        ]
        talk = Talk(*members)
        changed = [id for id in range(asked) if b"changed" in (await talk.call(id=id)).forward]
        assert changed == [9]
        for link in talk.chain.links:
            link.vitals.settle()
            failed = int(link.id == "frail")
            assert (link.vitals.calls, link.vitals.failures) == (asked, failed)
            assert (link.series.passed, link.series.failed) == (asked - failed, failed)
            assert link.series.duration.count == asked - failed
        talk.conversation.close()
        talk.current.install(Chain((), Registry(), time.perf_counter))
        assert not any(link.vitals.behind or link.series.behind for link in talk.chain.links)

    run(main)
