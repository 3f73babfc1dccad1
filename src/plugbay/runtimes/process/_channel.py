"""gRPC, as far as it is needed: a channel, and calls by their path.

grpcio is the optional extra `grpc`; it is imported here and nowhere else, when the first process
is started.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, TypeVar

from plugbay.kernel import ExtraMissing

if TYPE_CHECKING:
    from types import ModuleType

    import grpc
    import grpc.aio
    from google.protobuf.message import Message

_Answer = TypeVar("_Answer", bound="Message")

MOST = 64 << 20
"""Bytes that a plugin may send in one message."""
OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", MOST),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.default_authority", "localhost"),
    # It listens already when it says so; the first attempt that fails is not to cost a second.
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 5000),  # which is how long an attempt may take
    ("grpc.max_reconnect_backoff_ms", 500),
)


def aio() -> ModuleType:
    """Import `grpc.aio`. Raises `ExtraMissing`."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    try:
        import grpc.aio
    except ImportError as error:
        raise ExtraMissing("the runtime `process`", "grpc") from error
    return grpc.aio


def open_channel(target: str) -> grpc.aio.Channel:
    """Open a channel, without TLS: who may connect is a matter of the socket's directory."""
    channel: grpc.aio.Channel = aio().insecure_channel(target, options=OPTIONS)
    return channel


async def call(
    channel: grpc.aio.Channel,
    path: str,
    request: Message,
    answer: type[_Answer],
    *,
    timeout: float | None,
) -> _Answer:
    """Make one unary call. Raises `grpc.aio.AioRpcError`.

    A call whose channel is closed meanwhile is cancelled by gRPC, and its caller is not: for him
    the process was not available. What cannot be read is decoded here, because gRPC would log it
    with a traceback and return nothing.
    """
    from google.protobuf.message import DecodeError
    from grpc import StatusCode

    method = channel.unary_unary(path, request_serializer=serialize, response_deserializer=bytes)
    try:
        return answer.FromString(await method(request, timeout=timeout))
    except DecodeError:
        raise _broken(StatusCode.DATA_LOSS, "its answer cannot be read") from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _broken(StatusCode.UNAVAILABLE, "the process has ended") from None


def lost(error: grpc.aio.AioRpcError) -> bool:
    """Whether an error may be the end of the process, not only that of a call."""
    return error.code().name in ("UNAVAILABLE", "CANCELLED", "INTERNAL")


def _broken(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    from grpc.aio import AioRpcError, Metadata

    return AioRpcError(code, Metadata(), Metadata(), details=details)


def serialize(message: Message) -> bytes:
    """Encode a message."""
    return message.SerializeToString()
