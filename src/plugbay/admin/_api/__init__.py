"""The routes, one controller for each kind of resource."""

from plugbay.admin._api._docs import DocsRoutes
from plugbay.admin._api._sessions import SessionRoutes
from plugbay.admin._api._tokens import TokenRoutes, UserRoutes

API = (SessionRoutes, TokenRoutes, UserRoutes)
DOCS = (DocsRoutes,)
