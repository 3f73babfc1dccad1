"""The private name of one generation, under which its modules live in `sys.modules`."""

from __future__ import annotations

import re
from typing import NamedTuple

PREFIX = "_plugbay_"
_ALIAS = re.compile(r"_plugbay_([a-z][a-z0-9_]*)_([0-9]+)(?:r[0-9]+)?(?:\.|$)")
_ANY = re.compile(r"\b_plugbay_[a-z][a-z0-9_]*_[0-9]+(?:r[0-9]+)?\.")


class Owner(NamedTuple):
    """Whose module it is: the plugin's id and the number of its generation."""

    plugin: str
    generation: int


def alias_of(plugin: str, generation: int) -> str:
    """Return the name for a generation: `_plugbay_<id>_<n>`."""
    return f"{PREFIX}{plugin.replace('-', '_')}_{generation}"


def owner_of(module: str) -> Owner | None:
    """Return whose module it is by its full name; None if it is no plugin's.

    An id has no underscore, so the way back from an alias to the id is unambiguous.
    """
    found = _ALIAS.match(module)
    return Owner(found[1].replace("_", "-"), int(found[2])) if found else None


def belongs(name: object, alias: str) -> bool:
    """Return whether `name` is `alias` or a module below it."""
    return isinstance(name, str) and (name == alias or name.startswith(f"{alias}."))


def own_name(text: str) -> str:
    """Return `text` with the names that the author knows instead of the aliases."""
    return _ANY.sub("", text)
