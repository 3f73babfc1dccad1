"""MCP servers that Plugbay runs, and several as one, over Streamable HTTP."""

from plugbay.mcp._json import as_array as as_array
from plugbay.mcp._json import as_object as as_object
from plugbay.mcp.serving._backend import Backend as Backend
from plugbay.mcp.serving._backend import MakeBackend as MakeBackend
from plugbay.mcp.serving._checks import MODERN as MODERN
from plugbay.mcp.serving._endpoint import Endpoint as Endpoint
from plugbay.mcp.serving._federation import Federation as Federation
from plugbay.mcp.serving._http_backend import HttpBackend as HttpBackend
from plugbay.mcp.serving._member import FederationMember as FederationMember
from plugbay.mcp.serving._member import MemberDown as MemberDown
from plugbay.mcp.serving._member import MemberRefused as MemberRefused
from plugbay.mcp.serving._merging import UNAVAILABLE as UNAVAILABLE
from plugbay.mcp.serving._spec import FederationSpec as FederationSpec
from plugbay.mcp.serving._spec import McpSpec as McpSpec
from plugbay.mcp.serving._spec import MemberSpec as MemberSpec
from plugbay.mcp.serving._spec import ServerSpec as ServerSpec
from plugbay.mcp.serving._spec import problems_of as problems_of
from plugbay.mcp.serving._status import EndpointState as EndpointState
from plugbay.mcp.serving._status import EndpointStatus as EndpointStatus
