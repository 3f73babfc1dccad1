"""All that a plugin author imports. Standard library only; versioned by `API`."""

from plugbay.sdk._drip import Drip as Drip
from plugbay.sdk._host import Clock as Clock
from plugbay.sdk._host import Counter as Counter
from plugbay.sdk._host import Event as Event
from plugbay.sdk._host import Events as Events
from plugbay.sdk._host import Gauge as Gauge
from plugbay.sdk._host import Histogram as Histogram
from plugbay.sdk._host import Host as Host
from plugbay.sdk._host import HostUnavailable as HostUnavailable
from plugbay.sdk._host import KeyValue as KeyValue
from plugbay.sdk._host import Metrics as Metrics
from plugbay.sdk._host import Secrets as Secrets
from plugbay.sdk._http import BodyTooLarge as BodyTooLarge
from plugbay.sdk._http import Headers as Headers
from plugbay.sdk._http import Request as Request
from plugbay.sdk._http import Response as Response
from plugbay.sdk._manifest import PHASES as PHASES
from plugbay.sdk._manifest import Capability as Capability
from plugbay.sdk._manifest import Limits as Limits
from plugbay.sdk._manifest import Manifest as Manifest
from plugbay.sdk._manifest import Mcp as Mcp
from plugbay.sdk._manifest import McpMode as McpMode
from plugbay.sdk._manifest import Order as Order
from plugbay.sdk._manifest import Permissions as Permissions
from plugbay.sdk._manifest import Phase as Phase
from plugbay.sdk._mcp import Block as Block
from plugbay.sdk._mcp import Direction as Direction
from plugbay.sdk._mcp import Kind as Kind
from plugbay.sdk._mcp import McpSession as McpSession
from plugbay.sdk._mcp import Message as Message
from plugbay.sdk._mcp_filter import McpFilter as McpFilter
from plugbay.sdk._operations import AdminOperation as AdminOperation
from plugbay.sdk._operations import AdminOperations as AdminOperations
from plugbay.sdk._operations import OperationRefused as OperationRefused
from plugbay.sdk._plugin import AsgiApp as AsgiApp
from plugbay.sdk._plugin import BodyFilter as BodyFilter
from plugbay.sdk._plugin import EventHandler as EventHandler
from plugbay.sdk._plugin import Observer as Observer
from plugbay.sdk._plugin import Plugin as Plugin
from plugbay.sdk._plugin import RequestFilter as RequestFilter
from plugbay.sdk._plugin import ResponseFilter as ResponseFilter
from plugbay.sdk._plugin import Stateful as Stateful
from plugbay.sdk._plugin import Timing as Timing
from plugbay.sdk._shared import SharedMemory as SharedMemory

API = 1
