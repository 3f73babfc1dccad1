"""The versions of a plugin's configuration, and what differs between two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from plugbay.kernel._pointer import pointer_token

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigVersion:
    """One configuration that was in force, or meant to be. `created` is seconds since 1970."""

    version: int
    config: dict[str, Any]
    created: float
    author: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two configurations differ.

    `pointer` is a JSON Pointer (RFC 6901); `op` is as in RFC 6902, so `old` is None for `add`
    and `new` for `remove`.
    """

    pointer: str
    op: Literal["add", "remove", "replace"]
    old: Any = None
    new: Any = None


def diff(old: Any, new: Any) -> tuple[Difference, ...]:
    """Compare plain data. Applied one after the other, the differences turn `old` into `new`."""
    return tuple(_compare("", old, new))


def _compare(pointer: str, old: Any, new: Any) -> Iterator[Difference]:
    kinds = _kind(old), _kind(new)
    if kinds == (dict, dict):
        yield from _compare_objects(pointer, old, new)
    elif kinds == (list, list):
        yield from _compare_arrays(pointer, old, new)
    elif kinds[0] is not kinds[1] or old != new:  # True == 1 == 1.0, but not in JSON
        yield Difference(pointer, "replace", old, new)


def _compare_objects(
    pointer: str, old: dict[str, Any], new: dict[str, Any]
) -> Iterator[Difference]:
    for key in sorted(old.keys() | new.keys()):
        place = f"{pointer}/{pointer_token(key)}"
        if key not in new:
            yield Difference(place, "remove", old=old[key])
        elif key not in old:
            yield Difference(place, "add", new=new[key])
        else:
            yield from _compare(place, old[key], new[key])


def _compare_arrays(pointer: str, old: list[Any], new: list[Any]) -> Iterator[Difference]:
    common = min(len(old), len(new))
    for index in range(common):
        yield from _compare(f"{pointer}/{index}", old[index], new[index])
    for index in range(len(old) - 1, common - 1, -1):  # from the end, so that no index shifts
        yield Difference(f"{pointer}/{index}", "remove", old=old[index])
    for index in range(common, len(new)):
        yield Difference(f"{pointer}/{index}", "add", new=new[index])


def _kind(value: object) -> type[object]:
    return type(value)
