"""Answers that are none: each fails its call in one line, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from concurrent import futures
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from plugbay.kernel import Unavailable
from plugbay.runtimes.process import _channel as rpc
from plugbay.runtimes.process._grpc_carrier import GrpcCarrier
from plugbay.runtimes.process._pb import goplugin_pb2, km_pb2
from plugbay.runtimes.process._stream import HookStream

from .programs import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GARBAGE = b"\xff\xfe\xfd"
NO_TEXT = b"\x0a\x02\xff\xfe"
"""A field `value` that is no UTF-8."""


@pytest.fixture
def target(tmp_path: Path) -> Iterator[str]:
    """A server whose every answer is what it was asked for."""
    server = grpc.server(futures.ThreadPoolExecutor(2))

    def stream(asked: Iterator[bytes], _: Any) -> Iterator[bytes]:
        yield GARBAGE
        yield from asked

    echo = grpc.unary_unary_rpc_method_handler(lambda asked, _: asked)
    handlers = {"Echo": echo, "Stream": grpc.stream_stream_rpc_method_handler(stream)}
    for name in ("x.X", "plugbay.hook.v1.Hook"):
        handler = grpc.method_handlers_generic_handler(name, handlers)
        server.add_generic_rpc_handlers((handler,))
    address = f"unix:{tmp_path}/s"
    server.add_insecure_port(address)
    server.start()
    yield address
    server.stop(None).wait()


class Raw:
    """A message of any bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializeToString(self) -> bytes:
        return self._data


@pytest.mark.parametrize("data", [GARBAGE, NO_TEXT])
def test_an_answer_that_is_none_breaks_its_call(
    target: str, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        channel = rpc.open_channel(target)
        answer: Any = km_pb2.StringResponse
        raw: Any = Raw(data)
        with pytest.raises(rpc.aio().AioRpcError, match="cannot be read") as caught:
            await rpc.call(channel, "/x.X/Echo", raw, answer, timeout=30)
        assert not rpc.lost(caught.value)
        nothing = goplugin_pb2.Nothing()
        assert (await rpc.call(channel, "/x.X/Echo", nothing, answer, timeout=30)).value == ""
        await channel.close()

    with caplog.at_level(logging.DEBUG, "grpc"):
        asyncio.run(scenario())
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


def test_a_batch_that_is_none_ends_the_stream(target: str) -> None:
    async def scenario() -> None:
        channel = rpc.open_channel(target)
        stream = HookStream(lambda it: GrpcCarrier(channel, it), lambda *_: None)
        await until(lambda: not stream.open)
        with pytest.raises(Unavailable, match="no batch of frames"):
            stream.frame()
        await stream.close()
        await channel.close()

    asyncio.run(scenario())
