"""A worker: the data plane, its plugins, and the agent that follows the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import secrets
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.app._blame import BlameFile
from plugbay.app._blocks import Blocks
from plugbay.app._clock import SystemClock
from plugbay.app._hosts import WorkerHosts
from plugbay.app._log_relay import LogRelay
from plugbay.app._outgoing_events import OutgoingEvents
from plugbay.app._plane import WorkerPlane
from plugbay.app._runtimes import make_runtimes
from plugbay.app._server_tls import keep_fresh, server_tls
from plugbay.app._shared_memory import SPARE, SharedBlocks
from plugbay.app._trace_key import RevokedTraces, read_trace_key
from plugbay.app._worker_options import WorkerOptions
from plugbay.control import Agent, CarePolicy, Identity, Link, Loader, PluginEvent, connect
from plugbay.gateway import (
    AccessLines,
    HttpDataPlane,
    ServerTls,
    Tracing,
)
from plugbay.kernel import EventBus, HealthPolicy
from plugbay.observability import (
    AccessLog,
    EventMetrics,
    Logs,
    McpRouteCollector,
    OtelTraces,
    PluginUse,
    ProcessCollector,
    Registry,
    SlotMetrics,
    open_traces,
)
from plugbay.runtimes import PythonRuntime, Watchdog
from plugbay.sdk import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.settings import LogSettings, TraceSettings

AUDIT_AFTER = (1.0, 4.0)
"""Seconds from the end of a generation to the first look at what it has left, and to the next."""


class Worker:
    """One worker process, put together."""

    def __init__(self, options: WorkerOptions) -> None:
        self.options = options
        self.clock, self.registry = SystemClock(), Registry()
        self.registry.add(ProcessCollector(options.worker, started=self.clock.time()))
        self.slot_metrics, self.use = SlotMetrics(self.registry), PluginUse(self.registry)
        self.shared = SharedBlocks(Path(options.data_dir), options.workers + SPARE)
        self.logs = Logs(fd=2, format=options.log.format, level=options.log.level)
        events = EventMetrics(self.registry)
        self.bus = EventBus(self.clock, meter=events)
        self.outgoing = OutgoingEvents(self.clock, events, self._send_event)
        self._loop = asyncio.get_running_loop()
        self.serving = asyncio.Event()
        self.traces = _open_traces(options.tracing)
        self.data = HttpDataPlane(
            options.limits,
            self.clock,
            meter=self.registry,
            builtin={"/health": self._health, "/ready": self._ready},
            tracing=Tracing(
                self.clock,
                traces=self.traces,
                key=read_trace_key(Path(options.data_dir)),
                revoked=RevokedTraces(Path(options.data_dir)).__contains__,
            ),
            access=self._access_lines(options.log),
        )
        self.plane = WorkerPlane(
            self.data, self.registry, self.clock, self.serving, Path(options.data_dir)
        )
        self.registry.add(McpRouteCollector(self.plane.mcp.counts))
        self.runtime = PythonRuntime()
        self.agent = self._make_agent()
        self.relay = LogRelay(self._report_from_thread)
        self.blame = BlameFile(Path(options.data_dir) / "run", options.worker)
        self.watchdog = Watchdog(
            Blocks(options.policy, self.clock, self.agent).seen,
            threshold=options.policy.block_threshold,
            hanging=self.blame.leave,
            hang=options.policy.hang_seconds,
        )

    async def run(self) -> None:
        """Serve until the supervisor or a signal says stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        # What start-up has left is not looked at again by the collector; the plugins come later.
        gc.collect()
        gc.freeze()
        self.watchdog.start()
        self.relay.start()
        accepting = asyncio.create_task(self._accept(), name="accept")
        try:
            await self.agent.run(self._connect)
        finally:
            accepting.cancel()
            self.watchdog.stop()
            self.relay.stop()
            await self.data.close()
            await self.plane.mcp.close()
            await self.plane.pools.close()
            self.bus.close()
            if self.traces is not None:
                await asyncio.to_thread(self.traces.close)
            self.logs.close()

    def _access_lines(self, log: LogSettings) -> AccessLines | None:
        if not log.access:
            return None
        return AccessLines(AccessLog(self.logs.writer), self.clock, query=log.access_query)

    def _make_agent(self) -> Agent:
        options, policy = self.options, self.options.policy
        data = Path(options.data_dir)
        hosts = WorkerHosts(
            logs=self.logs,
            clock=self.clock,
            registry=self.registry,
            errands=lambda: self.agent.errands,
            publish=self._publish,
            closed=self._closed,
            data=data,
            share=self.shared.take,
            task_failed=self.use.task_failed,
        )
        return Agent(
            Identity(
                worker=options.worker,
                pid=os.getpid(),
                boot=secrets.token_hex(8),
                listening=options.addresses,
            ),
            loader=Loader(
                make_runtimes(self.runtime, self.bus, options.processes, data), hosts, self.clock
            ),
            plane=self.plane,
            clock=self.clock,
            randomness=random.SystemRandom(),
            policy=CarePolicy(
                health=HealthPolicy(
                    interval=policy.health_interval,
                    timeout=policy.health_timeout,
                    failures=policy.health_failures,
                )
            ),
            deliver=self._deliver,
            metrics=self._metrics,
        )

    async def _connect(self) -> Link:
        return await connect(Path(self.options.link), self.options.worker, self.options.fds)

    async def _accept(self) -> None:
        """Open the doors when there is something to serve; until then clients wait in the queue."""
        await self.serving.wait()
        if (blamed := self.blame.take()) is not None:
            await self.agent.caretaker.blame(*blamed, quarantine=True)
        certificates: list[ServerTls] = []
        for fd, settings in zip(self.options.fds, self.options.listeners, strict=True):
            listener = socket.socket(fileno=os.dup(fd))
            context = None
            if settings.tls is not None:
                tls = server_tls(settings.tls, http2=settings.speaks_http2)
                certificates.append(tls)
                context = tls.context
            await self.data.serve([listener], context, http2=settings.speaks_http2)
        await keep_fresh(certificates)

    def _stop(self) -> None:
        self.agent.drain_seconds = max(self.agent.drain_seconds, 30.0)
        self.agent.stopping.set()

    def _publish(self, topic: str, source: str, data: dict[str, object]) -> None:
        """An event of a plugin here: for the plugins here, and for those of the other workers."""
        self.bus.publish(topic, source, data)
        self.outgoing.publish(topic, source, data)

    def _send_event(self, topic: str, source: str, data: dict[str, Any]) -> bool:
        return self.agent.errands.publish(topic, source, data)

    def _deliver(self, topic: str, source: str, data: dict[str, Any]) -> None:
        self.bus.publish(topic, source, data)
        for work in self.plane.mcp.heard(topic, data) if source == "mcp" else ():
            self.agent.tasks.spawn(work, name=topic)

    def _metrics(self) -> bytes:
        self.slot_metrics.revision(self.agent.applier.desired.revision)
        self.slot_metrics.clear()
        slots = self.agent.status()
        for slot in slots:
            self.slot_metrics.slot(
                slot.plugin, slot.state, in_flight=slot.in_flight, draining=slot.draining
            )
        self.use.look({slot.plugin: slot.pids for slot in slots})
        self.use.shared(self.shared.sizes())
        return self.registry.snapshot()

    def _report_from_thread(self, event: PluginEvent) -> None:
        """The link is the loop's own; a loop that has closed has nobody to tell."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.agent.report, event)

    def _closed(self, plugin: str, generation: int) -> None:
        """A generation has ended: see, a little later, whether it has gone."""
        self.agent.tasks.spawn(self._audit(plugin, generation), name=f"audit {plugin}")

    async def _audit(self, plugin: str, generation: int) -> None:
        """Look twice: what is still unwinding at the first look is no leak."""
        report = None
        for seconds in AUDIT_AFTER:
            await asyncio.sleep(seconds)
            await self.runtime.collector.turn()
            report = self.runtime.audit(plugin, generation)
            if report is None or report.clean:
                return
        if report is not None:
            detail = "; ".join(problem.detail for problem in report.problems)
            event = PluginEvent(kind="leak", plugin=plugin, generation=generation, detail=detail)
            self.agent.report(event)

    def _health(self) -> Response:
        return Response.json({"status": "pass"})

    def _ready(self) -> Response:
        failed = [slot.plugin for slot in self.agent.status() if slot.state == "failed"]
        content = {"status": "warn" if failed else "pass", "failed": failed}
        return Response.json(content, 503 if self.data.draining else 200)


def _open_traces(tracing: TraceSettings) -> OtelTraces | None:
    """Open traces if the operator wants them; the supervisor has seen that the extra is there."""
    if not tracing.endpoint:
        return None
    return open_traces(endpoint=tracing.endpoint, service=tracing.service, ratio=tracing.ratio)


def main(argument: str, run: Callable[[Any], None]) -> None:
    """Run a worker as `argument`, its options as JSON, says."""
    options = msgspec.json.decode(argument, type=WorkerOptions)

    async def work() -> None:
        await Worker(options).run()

    run(work())
