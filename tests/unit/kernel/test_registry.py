import pytest

from plugbay.kernel import (
    ARTIFACT_TRANSITIONS,
    SLOT_TRANSITIONS,
    ArtifactState,
    Conflict,
    IllegalTransition,
    NotFound,
    Slot,
    SlotRegistry,
    SlotState,
    TooManyRequests,
    move,
)


@pytest.fixture
def registry(clock):
    return SlotRegistry(lambda id: Slot(id, clock))


def test_slots_are_made_when_first_wanted(registry):
    slot = registry.ensure("b")
    assert registry.ensure("b") is slot
    assert registry.get("b") is slot
    registry.ensure("a")
    assert [slot.plugin for slot in registry] == ["a", "b"]
    assert len(registry) == 2
    assert "a" in registry
    assert "c" not in registry


def test_a_snapshot_does_not_change(registry):
    registry.ensure("a")
    before = registry.snapshot()
    registry.ensure("b")
    assert [status.plugin for status in before] == ["a"]
    with pytest.raises(AttributeError):
        before[0].state = SlotState.ACTIVE


def test_only_what_is_at_rest_is_removed(registry):
    slot = registry.ensure("a")
    slot.to(SlotState.LOADING)
    with pytest.raises(Conflict, match="disable it"):
        registry.remove("a")
    slot.to(SlotState.DISABLED)
    registry.remove("a")
    with pytest.raises(NotFound):
        registry.get("a")
    with pytest.raises(NotFound):
        registry.remove("a")


def test_the_tables_know_every_state():
    assert set(SLOT_TRANSITIONS) == set(SlotState)
    assert set(ARTIFACT_TRANSITIONS) == set(ArtifactState)
    assert {state for state in SlotState if state.serves} == {"active", "reloading"}


def test_illegal_moves_are_refused():
    with pytest.raises(IllegalTransition, match="plugin a cannot go from disabled to active") as no:
        move("plugin a", SLOT_TRANSITIONS, SlotState.DISABLED, SlotState.ACTIVE)
    assert (no.value.old, no.value.new) == ("disabled", "active")
    revoked = ArtifactState.REVOKED
    for state in ArtifactState:
        with pytest.raises(IllegalTransition):
            move("x", ARTIFACT_TRANSITIONS, revoked, state)


def test_too_many_requests_says_when_to_come_back():
    assert TooManyRequests("slow down", retry_after=3).retry_after == 3
