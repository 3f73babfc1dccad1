"""A wheel in a process of its own: started in its environment, called over a plain socket."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

import plugbay
from plugbay.isolation import python
from plugbay.kernel import Invalid, LoadFailed, Problem
from plugbay.runtimes.process._dialects import PLUGBAY
from plugbay.runtimes.process._plugin_process import CallBroken, Launch, PluginProcess
from plugbay.runtimes.process._socket_link import SocketLink

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from plugbay.isolation import Sandbox
    from plugbay.kernel import LoadRequest
    from plugbay.runtimes.process._handshake import Handshake
    from plugbay.runtimes.process._plugin_process import Log
    from plugbay.runtimes.process._process import Child
    from plugbay.runtimes.process._socket_link import SocketCarrier
    from plugbay.runtimes.process._stream import HookStream
    from plugbay.sdk import Manifest

_Answer = TypeVar("_Answer", bound="Message")
PROGRAM = Path(__file__).parents[1] / "wheelhost" / "main.py"
_LENT = ("msgspec", "packaging", "uvloop")
"""Packages that the program needs, and uses the gateway's copy of if the environment has none."""


class WheelProcess(PluginProcess):
    """One running wheel."""

    protocol = "socket"
    remedy = "raise limits.memory_mb or limits.start_ms in plugbay.toml, or enable it once more"

    def __init__(self, child: Child, sockets: str, handshake: Handshake, log: Log) -> None:
        super().__init__(child, sockets, handshake, log)
        self._link = SocketLink()

    async def call(
        self, method: str, asked: Message, answer: type[_Answer], timeout: float | None
    ) -> _Answer:
        """Make one step of the plugin's life. Raises `CallBroken`."""
        try:
            return await self._link.call(method, asked, answer, timeout)
        except CallBroken as broken:
            said = await self.why(str(broken))
        raise CallBroken(said)

    def carry(self, stream: HookStream) -> SocketCarrier:
        """Carry the frames of a stream."""
        return self._link.carry(stream)

    async def come_up(self) -> None:
        """Connect. Raises `Invalid`."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_unix_connection(lambda: self._link, self.handshake.address)
        except OSError as error:
            raise Invalid(await self.why(f"it cannot be called: {error.strerror}")) from None

    async def shut_down(self, grace: float) -> None:
        """Close the connection, upon which it ends."""
        self._link.close()

    async def disconnect(self) -> None:
        """Close the connection."""
        self._link.close()


def launch_wheel(request: LoadRequest, sandbox: Sandbox, seconds: float) -> Launch:
    """Say how a wheel is started. Raises `LoadFailed` if there is no environment for it."""
    environment = request.environment
    if environment is None or not (interpreter := environment / "bin" / "python").exists():
        id = request.manifest.id
        remedy = (
            f"enable it once more, which builds it: plugbay plugin enable {id} --runtime process"
        )
        problem = Problem("environment", "its environment is not there", "", "", remedy)
        raise LoadFailed(
            id, f"{problem.detail}: {remedy}", generation=request.generation, problems=(problem,)
        )
    if sandbox.user:
        id = request.manifest.id
        detail = "a wheel's environment can be read by the gateway's own user only"
        remedy = f'set processes.plugins.{id}.user = ""'
        problem = Problem("environment", detail, "the gateway's user", sandbox.user, remedy)
        raise LoadFailed(id, detail, generation=request.generation, problems=(problem,))
    own = str(request.host.data_dir)
    read = (*sandbox.read, *python(), str(request.payload), str(environment))
    return Launch(
        program=str(interpreter),
        digest="",
        dialect=PLUGBAY,
        arguments=arguments_of(request.payload, request.manifest),
        sandbox=replace(sandbox, read=read, write=(*sandbox.write, own)),
        seconds=seconds,
    )


def arguments_of(payload: Path, manifest: Manifest) -> tuple[str, ...]:
    """Return the arguments by which an environment's interpreter runs the wheel."""
    order = {
        "own": {"plugbay": str(_own())},
        "lent": {name: str(place) for name, place in _lent().items()},
        "payload": str(payload),
        "manifest": msgspec.to_builtins(manifest),
    }
    return ("-I", "-B", str(PROGRAM), json.dumps(order))


def _own() -> Path:
    return Path(plugbay.__file__).parents[1]


@functools.cache
def _lent() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name in _LENT:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            found[name] = Path(spec.origin).parents[1]
    return found
