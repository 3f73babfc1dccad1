"""The state machine of h2, for a server that lets streams end after GOAWAY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import (
    ConnectionInputs,
    ConnectionState,
    H2Connection,
    H2ConnectionStateMachine,
)
from h2.frame_buffer import FrameBuffer
from h2.settings import SettingCodes, Settings

if TYPE_CHECKING:
    from h2.events import Event
    from hyperframe.frame import Frame

    from plugbay.gateway._spec import ListenerLimits

STREAM_WINDOW = 256 * 1024
"""How much of a request's body a client may send before somebody has taken it."""
CONNECTION_WINDOW = 2 * 1024 * 1024
"""The same for all requests of a connection: it bounds what a client can make us keep."""
TABLE = 4096
"""The size of our header compression's table (RFC 7541, 4.2). A client may allow more, and it
is ours to keep."""
_HEADROOM = 4
"""A head within so many times the limit is refused by 431; a larger one ends the connection."""


class _States(H2ConnectionStateMachine):
    """After GOAWAY, streams that have begun go on to their end (RFC 9113, 6.8): to h2 the
    connection is closed then."""

    def process_input(self, input_: ConnectionInputs) -> list[Event]:
        # Not `in`: the hash of an enumeration's member is computed in Python each time.
        goaway = input_ is ConnectionInputs.SEND_GOAWAY or input_ is ConnectionInputs.RECV_GOAWAY
        if goaway and self.state is not ConnectionState.CLOSED:
            return []
        return super().process_input(input_)


class _Frames(FrameBuffer):
    """h2 writes every frame out in hexadecimal for a trace that goes nowhere: half of what a frame
    of data costs."""

    def __next__(self) -> Frame:
        frame = super().__next__()
        frame._body_repr = _unwritten  # type: ignore[method-assign] # pyright: ignore[reportPrivateUsage] - see above
        return frame


def _unwritten() -> str:
    return ""


class Machine(H2Connection):
    """The server's side of one connection.

    h2 frames, compresses, counts windows and knows in which state what may be sent. Header fields
    are checked by `read_stream_head`, per request: to h2 one bad field is the end of all streams.
    """

    MAX_CLOSED_STREAMS = 2048
    """How many streams it remembers that are over: frames for them may still be on their way."""

    def __init__(self, limits: ListenerLimits) -> None:
        super().__init__(
            H2Configuration(
                client_side=False,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.state_machine = _States()
        self.incoming_buffer = _Frames(server=True)
        self.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: limits.max_streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: limits.max_head,
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
            },
        )
        self.decoder.max_header_list_size = limits.max_head * _HEADROOM

    def begin(self) -> None:
        """Greet the client."""
        self.initiate_connection()
        self.increment_flow_control_window(CONNECTION_WINDOW - 65_535)

    def clear_outbound_data_buffer(self) -> None:
        """Keep it when the client says GOAWAY: what it has asked for, it still wants."""

    def bound_table(self) -> None:
        """Take no more memory for header compression than we want, whatever the client allows."""
        if self.encoder.header_table_size > TABLE:
            self.encoder.header_table_size = TABLE
