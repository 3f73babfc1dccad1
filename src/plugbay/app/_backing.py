"""The store behind the local files, as the settings want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.artifacts import Backing
    from plugbay.settings import ArtifactSettings


def open_backing(settings: ArtifactSettings) -> Backing | None:
    """Return the backing store, if there is to be one; it connects when it is used.

    Raises `ExtraMissing`, and `Invalid` for an address that is none.
    """
    if settings.store == "files":
        return None
    from plugbay.artifacts.gridfs import open_gridfs

    gridfs = settings.gridfs
    return open_gridfs(gridfs.uri, database=gridfs.database, bucket=gridfs.bucket)
