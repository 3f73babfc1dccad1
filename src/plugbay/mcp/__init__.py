"""MCP traffic: JSON-RPC messages between clients and servers, and the plugins that they pass."""

from plugbay.mcp._chain import Chain as Chain
from plugbay.mcp._chain import Current as Current
from plugbay.mcp._child import Child as Child
from plugbay.mcp._child import exit_code as exit_code
from plugbay.mcp._codec import Malformed as Malformed
from plugbay.mcp._codec import decode as decode
from plugbay.mcp._codec import encode as encode
from plugbay.mcp._codec import read_envelope as read_envelope
from plugbay.mcp._conversation import Conversation as Conversation
from plugbay.mcp._conversation import Counts as Counts
from plugbay.mcp._conversation import Sent as Sent
from plugbay.mcp._conversation import Waiting as Waiting
from plugbay.mcp._framing import MAX_MESSAGE as MAX_MESSAGE
from plugbay.mcp._framing import LineSplitter as LineSplitter
from plugbay.mcp._framing import TooLong as TooLong
from plugbay.mcp._member import Member as Member
from plugbay.mcp._observers import Observers as Observers
from plugbay.mcp._pipes import open_reader as open_reader
from plugbay.mcp._pipes import open_writer as open_writer
from plugbay.mcp._sse import EventSplitter as EventSplitter
from plugbay.mcp._sse import EventTooLong as EventTooLong
from plugbay.mcp._sse import event_data as event_data
from plugbay.mcp._sse import with_data as with_data
from plugbay.mcp._stdio import StdioLimits as StdioLimits
from plugbay.mcp._stdio import StdioWrapper as StdioWrapper
