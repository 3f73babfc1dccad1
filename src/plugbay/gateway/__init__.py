"""The data plane."""

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
