"""One generation of a wheel, in process or in a process of its own: whichever the test asks for."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from plugbay.runtimes import PythonRuntime
from plugbay.runtimes.process import ProcessRuntime
from plugbay.sdk import Headers, Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from plugbay.kernel import Instance, LoadRequest

Runtime = Literal["in-process", "process"]
BOTH: tuple[Runtime, ...] = ("in-process", "process")


@contextlib.asynccontextmanager
async def running(
    request: LoadRequest, runtime: Runtime, environment: Path
) -> AsyncIterator[Instance]:
    """Load and start a wheel, stop it in the end, and see that nothing is left."""
    with tempfile.TemporaryDirectory(prefix="pb") as base:
        instance: Instance
        if runtime == "process":
            whole = replace(request, environment=environment)
            instance = await ProcessRuntime(base=base).load(whole)
        else:
            instance = await PythonRuntime().load(request)
        try:
            await instance.start()
            yield instance
        finally:
            await instance.stop()
        assert os.listdir(base) == []


async def ask(instance: Instance, name: str, *arguments: object) -> Any:
    """Call a hook as the chain does."""
    hook = instance.hooks[name]
    result = hook.call(*arguments)
    return await result if hook.coroutine else result


def request(target: str = "/", body: bytes = b"", **fields: str) -> Request:
    """Make a request, with a body if there is one."""

    async def read(limit: int) -> bytes:
        from plugbay.sdk import BodyTooLarge

        if len(body) > limit:
            raise BodyTooLarge(limit)
        return body

    headers = Headers.of({name.replace("_", "-"): value for name, value in fields.items()})
    return Request(
        "POST" if body else "GET",
        target,
        headers=headers,
        authority="example.com",
        client="192.0.2.1",
        id="r1",
        reader=read if body else None,
    )


def response(status: int = 200, **fields: str) -> Response:
    """Make an upstream's response."""
    return Response(status, {name.replace("_", "-"): value for name, value in fields.items()}, None)


async def body_of(answer: Response) -> bytes:
    """Return the whole body of a plugin's response."""
    if isinstance(answer.body, bytes):
        return answer.body
    assert answer.body is not None
    return b"".join([chunk async for chunk in answer.body])
