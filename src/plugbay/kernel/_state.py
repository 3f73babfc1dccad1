"""The states of slots and of artifacts, each with its one transition table."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, TypeVar

from plugbay.kernel._errors import IllegalTransition

if TYPE_CHECKING:
    from collections.abc import Mapping


class SlotState(enum.StrEnum):
    """A fact about a place where a plugin runs."""

    DISABLED = "disabled"
    LOADING = "loading"
    ACTIVE = "active"
    RELOADING = "reloading"
    DRAINING = "draining"
    FAILED = "failed"

    @property
    def serves(self) -> bool:
        """Whether requests pass the plugin: the old generation serves while it is reloading."""
        return self in (SlotState.ACTIVE, SlotState.RELOADING)


class ArtifactState(enum.StrEnum):
    """A fact about immutable bytes."""

    UPLOADED = "uploaded"
    VALIDATED = "validated"
    REJECTED = "rejected"
    REVOKED = "revoked"


S, A = SlotState, ArtifactState

SLOT_TRANSITIONS: Mapping[SlotState, frozenset[SlotState]] = {
    S.DISABLED: frozenset({S.LOADING}),
    # Back to disabled when another worker could not prepare, and all of them abort.
    S.LOADING: frozenset({S.ACTIVE, S.FAILED, S.DISABLED}),
    S.ACTIVE: frozenset({S.RELOADING, S.DRAINING, S.FAILED}),
    S.RELOADING: frozenset({S.ACTIVE, S.FAILED}),
    S.DRAINING: frozenset({S.DISABLED, S.FAILED}),
    S.FAILED: frozenset({S.LOADING, S.DISABLED}),
}

ARTIFACT_TRANSITIONS: Mapping[ArtifactState, frozenset[ArtifactState]] = {
    A.UPLOADED: frozenset({A.VALIDATED, A.REJECTED}),
    A.VALIDATED: frozenset({A.REVOKED}),
    A.REJECTED: frozenset({A.UPLOADED}),  # the same bytes are tried again by newer rules
    A.REVOKED: frozenset(),
}

_S = TypeVar("_S", SlotState, ArtifactState)


def move(what: str, table: Mapping[_S, frozenset[_S]], old: _S, new: _S) -> _S:
    """Return `new`. Raises `IllegalTransition` if the table has no such move."""
    if new not in table[old]:
        raise IllegalTransition(what, old, new)
    return new
