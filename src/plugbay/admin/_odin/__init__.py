"""The admin API of Odin, `/admin/api/plugin-binaries`, on the services that v1 uses.

Its clients and its data model stay as they are: records with 24 hexadecimal digits for an id,
`{"success": …}` and `{"error": …}`. What a record says is read from the artifact, the desired state
and the workers; only what has no place there is kept in a table of its own.
"""

from plugbay.admin._odin._routes import odin_router as odin_router
