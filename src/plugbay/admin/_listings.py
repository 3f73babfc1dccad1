"""Encoded answers that are kept for as long as what they show has not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MOST = 32
"""Different questions about the same state; the first ones are forgotten first."""


class Listings:
    """Answers by question, about one state of things."""

    def __init__(self) -> None:
        self._state: object = None
        self._answers: dict[Hashable, bytes] = {}

    def get(self, state: object, question: Hashable, encoded: Callable[[], bytes]) -> bytes:
        """The answer to `question` about this very `state`, made by `encoded` if it is new."""
        if state is not self._state:
            self._state, self._answers = state, {}
        answer = self._answers.get(question)
        if answer is None:
            if len(self._answers) >= MOST:
                del self._answers[next(iter(self._answers))]
            answer = self._answers[question] = encoded()
        return answer
