"""Environments that are made for a change before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugbay.control import Disable, Enable, OperationState, Swap
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from unit.control.story import Quiet

    pass

S = OperationState


def test_others_pass_while_an_environment_is_made(quiet: Quiet) -> None:
    async def story() -> None:
        slow = Enable(plugin="base", digest="base-1.0", runtime="process")
        first = await quiet.coordinator.submit(slow, actor="me")
        making = await quiet.coordinator.ledger.wait(first.id, lambda o: bool(o.steps), 5)
        assert making.state is S.PENDING
        assert making.steps["supervisor"].state == "making"
        assert making.steps["supervisor"].detail == "the environment of base-1.0"

        with pytest.raises(Invalid):  # what cannot be is refused at once, and does not wait
            await quiet.coordinator.submit(
                Enable(plugin="cache", digest="cache-1.0", config={"typo": 1}), actor="me"
            )
        other = await quiet.do(Enable(plugin="cache", digest="cache-1.0"))
        ended = await quiet.coordinator.wait(first.id, timeout=20)
        assert other.state is ended.state is S.SUCCEEDED
        assert other.revision < ended.revision
        assert ended.steps["supervisor"].state == "made"
        assert {step.state for step in ended.steps.values()} == {"made", "drained"}

    quiet.tell(story)


def test_what_cannot_be_made_fails_its_operation_alone(quiet: Quiet) -> None:
    async def story() -> None:
        quiet.strike("build-fails")
        slow = Enable(plugin="base", digest="base-1.0", runtime="process")
        failed = await quiet.do(slow)
        assert (failed.state, failed.error) == (S.FAILED, "the index does not answer")
        assert failed.steps["supervisor"].state == "failed"
        quiet.strike("build-fails", 0.0)

        dropped = await quiet.coordinator.submit(slow, actor="me")
        await quiet.coordinator.ledger.wait(dropped.id, lambda o: bool(o.steps), 5)
        await quiet.coordinator.cancel(dropped.id)
        made = await quiet.do(slow)
        assert made.state is S.SUCCEEDED
        assert quiet.coordinator.ledger.get(dropped.id).state is S.CANCELLED

    quiet.tell(story)


def test_what_was_exchanged_while_disabled_gets_its_environment(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(Enable(plugin="cache", digest="cache-1.0", runtime="process"))
        await quiet.do(Disable(plugin="cache"))
        await quiet.do(Swap(plugin="cache", digest="cache-2.0"))
        back = await quiet.do(Enable(plugin="cache"))
        assert back.steps["supervisor"].detail == "the environment of cache-2.0"
        assert back.state is S.SUCCEEDED

    quiet.tell(story)
