"""Metrics, logs, traces and probes."""

from plugbay.observability._series import PLUGIN_SECONDS as PLUGIN_SECONDS
from plugbay.observability._series import REQUEST_SECONDS as REQUEST_SECONDS
from plugbay.observability._series import Histogram as Histogram
from plugbay.observability._series import PluginSeries as PluginSeries
from plugbay.observability._series import RouteSeries as RouteSeries
from plugbay.observability._series import UpstreamSeries as UpstreamSeries
