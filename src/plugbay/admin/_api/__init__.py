"""The routes, one controller for each kind of resource."""

from plugbay.admin._api._artifacts import ArtifactRoutes
from plugbay.admin._api._config import ConfigRoutes
from plugbay.admin._api._docs import DocsRoutes
from plugbay.admin._api._events import EventRoutes, WorkerRoutes
from plugbay.admin._api._operations import OperationRoutes
from plugbay.admin._api._plan import PlanRoutes
from plugbay.admin._api._plugin_operations import PluginOperationRoutes
from plugbay.admin._api._plugins import PluginRoutes
from plugbay.admin._api._routes import RouteRoutes, UpstreamRoutes
from plugbay.admin._api._sessions import SessionRoutes
from plugbay.admin._api._tokens import TokenRoutes, UserRoutes
from plugbay.admin._api._trace_keys import TraceKeyRoutes

API = (
    SessionRoutes,
    TokenRoutes,
    TraceKeyRoutes,
    UserRoutes,
    ArtifactRoutes,
    ConfigRoutes,
    EventRoutes,
    OperationRoutes,
    PluginRoutes,
    PluginOperationRoutes,
    PlanRoutes,
    RouteRoutes,
    UpstreamRoutes,
    WorkerRoutes,
)
DOCS = (DocsRoutes,)
