"""Artifacts in MongoDB GridFS, in the collections and fields that Odin uses.

It needs the extra `plugbay[gridfs]`.
"""

from plugbay.artifacts.gridfs._backing import GridFs as GridFs
from plugbay.artifacts.gridfs._backing import open_gridfs as open_gridfs
