"""The list's filters. A name's pattern comes from whoever asks, so it has bounds."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from plugbay.admin._odin._errors import OdinError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plugbay.admin._odin._record import Known

_LONGEST, _MOST = 100, 3
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_NESTED = re.compile(r"\)\s*[*+?{]|\(\?|\\[1-9]")
_REPEATS = re.compile(r"[*+?{]")


def matching(
    known: Iterable[Known], *, enabled: bool | None, name: str, status: str
) -> Iterator[Known]:
    """Yield the records that fit. Raises `OdinError` for a pattern that is none."""
    pattern = _pattern(name)
    for one in known:
        if enabled is not None and one.enabled is not enabled:
            continue
        if status and one.status[0] != status:
            continue
        if pattern.search(one.name):
            yield one


def _pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern that cannot take long on a name: no group is repeated, and little else."""
    plain = _ESCAPED.sub(lambda found: found[0] if found[0][1].isdigit() else "x", text)
    if len(text) > _LONGEST or _NESTED.search(plain) or len(_REPEATS.findall(plain)) > _MOST:
        raise OdinError(HTTPStatus.BAD_REQUEST, "Invalid name filter: the pattern is too complex")
    try:
        return re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise OdinError(HTTPStatus.BAD_REQUEST, f"Invalid name filter: {error}") from None
