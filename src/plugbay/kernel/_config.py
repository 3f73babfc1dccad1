"""The versions of a plugin's configuration: what differs between two, and the way back."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from plugbay.kernel._errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from plugbay.kernel._ports import Clock


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


class ConfigHistory:
    """All versions, oldest first. None is ever edited or removed: going back makes a new one."""

    def __init__(self, clock: Clock, versions: Iterable[ConfigVersion] = ()) -> None:
        """Go on from stored versions. Raises `Conflict` if their numbers do not grow."""
        self._clock = clock
        self._versions: dict[int, ConfigVersion] = {}
        self._last = 0
        for version in versions:
            if version.version <= self._last:
                raise Conflict(f"config version {version.version} comes after {self._last}")
            self._keep(version)

    def __iter__(self) -> Iterator[ConfigVersion]:
        return iter(tuple(self._versions.values()))

    def __len__(self) -> int:
        return len(self._versions)

    @property
    def current(self) -> ConfigVersion | None:
        """The newest version."""
        return self._versions.get(self._last)

    def get(self, version: int) -> ConfigVersion:
        """Return one version. Raises `NotFound`."""
        try:
            return self._versions[version]
        except KeyError:
            raise NotFound(f"there is no config version {version}") from None

    def add(self, config: Mapping[str, Any], *, author: str, comment: str = "") -> ConfigVersion:
        """Keep a copy of `config` as the next version, and return that."""
        return self._keep(
            ConfigVersion(
                version=self._last + 1,
                config=copy.deepcopy(dict(config)),
                created=self._clock.time(),
                author=author,
                comment=comment,
            )
        )

    def rollback(self, version: int, *, author: str, comment: str = "") -> ConfigVersion:
        """Make a new version equal to an old one. Raises `NotFound`."""
        config = self.get(version).config
        return self.add(config, author=author, comment=comment or f"Roll back to {version}")

    def diff(self, old: int, new: int) -> tuple[Difference, ...]:
        """Return what changed from one version to another. Raises `NotFound`."""
        return diff(self.get(old).config, self.get(new).config)

    def _keep(self, version: ConfigVersion) -> ConfigVersion:
        self._versions[version.version] = version
        self._last = version.version
        return version


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
        place = f"{pointer}/{_escape(key)}"
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


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
