"""Durable state on one machine: SQLite with one writer, and files that are whole or not there."""

from plugbay.storage._database import Database as Database
from plugbay.storage._files import sync_directory as sync_directory
from plugbay.storage._files import write_atomically as write_atomically
