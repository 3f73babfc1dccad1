"""The data plane."""

from plugbay.gateway._server import HttpDataPlane as HttpDataPlane
from plugbay.gateway._server import Stats as Stats
from plugbay.gateway._spec import Balance as Balance
from plugbay.gateway._spec import Breaker as Breaker
from plugbay.gateway._spec import HealthCheck as HealthCheck
from plugbay.gateway._spec import ListenerLimits as ListenerLimits
from plugbay.gateway._spec import OutlierDetection as OutlierDetection
from plugbay.gateway._spec import Retries as Retries
from plugbay.gateway._spec import RouteSpec as RouteSpec
from plugbay.gateway._spec import Target as Target
from plugbay.gateway._spec import Tls as Tls
from plugbay.gateway._spec import UpstreamSpec as UpstreamSpec
from plugbay.gateway.chain._member import Member as Member
from plugbay.gateway.chain._tracing import Tracing as Tracing
from plugbay.gateway.downstream._access import AccessLines as AccessLines
from plugbay.gateway.routing._explaining import Considered as Considered
from plugbay.gateway.routing._explaining import RouteMatch as RouteMatch
from plugbay.gateway.routing._explaining import explain_route as explain_route
from plugbay.gateway.routing._routes import route_problems as route_problems
from plugbay.gateway.routing._table import Meter as Meter
from plugbay.gateway.routing._table import Route as Route
from plugbay.gateway.routing._table import Table as Table
from plugbay.gateway.routing._table import build_table as build_table
from plugbay.gateway.transport._tls import Certificate as Certificate
from plugbay.gateway.transport._tls import ServerTls as ServerTls
from plugbay.gateway.upstream._pools import UpstreamPools as UpstreamPools
