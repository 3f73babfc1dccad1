"""The routes, one controller for each kind of resource."""

from plugbay.admin._api._access_tokens import AccessTokenRoutes, SigningKeyRoutes
from plugbay.admin._api._artifacts import ArtifactRoutes
from plugbay.admin._api._audit import AuditRoutes
from plugbay.admin._api._bills import BillRoutes
from plugbay.admin._api._config import ConfigRoutes
from plugbay.admin._api._docs import DocsRoutes
from plugbay.admin._api._events import EventRoutes, WorkerRoutes
from plugbay.admin._api._interchange import InterchangeRoutes
from plugbay.admin._api._match import MatchRoutes
from plugbay.admin._api._mcp import McpFederationRoutes, McpServerRoutes
from plugbay.admin._api._odin_login import OdinLoginRoutes
from plugbay.admin._api._oidc import OidcRoutes
from plugbay.admin._api._operations import OperationRoutes
from plugbay.admin._api._plan import PlanRoutes
from plugbay.admin._api._plugin_figures import PluginFigureRoutes
from plugbay.admin._api._plugin_operations import PluginOperationRoutes
from plugbay.admin._api._plugins import PluginRoutes
from plugbay.admin._api._routes import RouteRoutes, UpstreamRoutes
from plugbay.admin._api._second_factor import SecondFactorRoutes
from plugbay.admin._api._sessions import SessionRoutes
from plugbay.admin._api._tokens import TokenRoutes
from plugbay.admin._api._trace_keys import TraceKeyRoutes
from plugbay.admin._api._users import RoleRoutes, UserRoutes

API = (
    SessionRoutes,
    SecondFactorRoutes,
    OidcRoutes,
    AccessTokenRoutes,
    SigningKeyRoutes,
    TokenRoutes,
    TraceKeyRoutes,
    UserRoutes,
    RoleRoutes,
    ArtifactRoutes,
    AuditRoutes,
    BillRoutes,
    ConfigRoutes,
    EventRoutes,
    InterchangeRoutes,
    McpServerRoutes,
    McpFederationRoutes,
    OperationRoutes,
    PluginRoutes,
    PluginFigureRoutes,
    PluginOperationRoutes,
    PlanRoutes,
    RouteRoutes,
    MatchRoutes,
    UpstreamRoutes,
    WorkerRoutes,
)
DOCS = (DocsRoutes, OdinLoginRoutes)
