"""Durable state on one machine: SQLite with one writer, and files that are whole or not there.

SQLite is imported when first used: workers and wrappers do without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.storage._files import keep_key as keep_key
from plugbay.storage._files import open_regular as open_regular
from plugbay.storage._files import sync_directory as sync_directory
from plugbay.storage._files import write_atomically as write_atomically
from plugbay.storage._spill import LARGE as LARGE
from plugbay.storage._spill import Spill as Spill

if TYPE_CHECKING:
    from plugbay.storage._database import Database as Database


def __getattr__(name: str) -> object:
    if name != "Database":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from plugbay.storage._database import Database

    return Database
