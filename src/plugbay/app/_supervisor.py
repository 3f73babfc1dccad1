"""The supervisor: desired state, admin API, artifacts, metrics, and the workers' keeper."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.admin import AuditLog, Journal, Services, create_admin
from plugbay.admin import ensure_first_user as ensure_user
from plugbay.app._admin_options import admin_options
from plugbay.app._artifact_catalog import ArtifactCatalog
from plugbay.app._asgi_server import AsgiServer
from plugbay.app._audit_trail import AuditTrail
from plugbay.app._backing import open_backing
from plugbay.app._clock import SystemClock
from plugbay.app._condition import Condition
from plugbay.app._data_directory import WorkersNotice, hold, prepare
from plugbay.app._discovered import Discovery
from plugbay.app._environments import make_environments, tidy
from plugbay.app._file_set import FileManaged
from plugbay.app._hearing import Hearing
from plugbay.app._launcher import WorkerLauncher
from plugbay.app._listeners import Listeners, address_of, open_listener
from plugbay.app._news import News
from plugbay.app._runners import make_runners
from plugbay.app._server_tls import keep_fresh, server_tls
from plugbay.app._shared_memory import remove_shared
from plugbay.app._trace_key import RevokedTraces, make_trace_key
from plugbay.app._trust import read_trust
from plugbay.app._worker_options import WorkerOptions
from plugbay.app.check import Trials, check_extras, check_isolation, make_layers
from plugbay.app.mcp._keeper import McpKeeper
from plugbay.artifacts import ArtifactStore, SignatureLayer, Upkeep, Uploader, Validator, sweep
from plugbay.control import (
    Coordinator,
    Greeting,
    LinkServer,
    PluginOperations,
    SqliteKeyValue,
    SqliteStore,
    StreamLink,
    WorkerPool,
)
from plugbay.observability import (
    ChangeMetrics,
    EventMetrics,
    Logs,
    PluginFigures,
    Probes,
    ProcessCollector,
    Registry,
    render_prometheus,
)
from plugbay.storage import Database, write_atomically

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from plugbay.settings import Settings

_log = logging.getLogger("plugbay.supervisor")
READY_SECONDS = 60.0


class Supervisor:
    """One per data directory. `run` serves until a signal, or `stop`."""

    def __init__(self, settings: Settings, config: Path | None, ready_file: Path | None) -> None:
        check_extras(settings)
        self.settings, self._config, self._ready_file = settings, config, ready_file
        self.data = prepare(Path(settings.data_dir).absolute())
        self._held, self._notice = hold(self.data), WorkersNotice(self.data)
        self.logs = Logs(fd=2, format=settings.log.format, level=settings.log.level)
        self.clock, self.registry = SystemClock(), Registry()
        self.registry.add(ProcessCollector("supervisor", started=self.clock.time()))
        self.database = Database.open(self.data / "plugbay.sqlite3")
        self.audit = AuditLog(self.database, self.data)
        self.artifacts = ArtifactStore(self.data, self.database, open_backing(settings.artifacts))
        uploads = settings.uploads
        self.uploads = Uploader(self.artifacts, self.clock, max_bytes=uploads.max_bytes)
        signature = SignatureLayer(read_trust(settings.signing), self.clock)
        self.environments = make_environments(self.data, settings.environments)
        trials = Trials(
            uploads=uploads,
            runners=make_runners(self.data),
            policy=settings.processes,
            data=self.data,
            environments=self.environments,
        )
        layers = make_layers(self.artifacts, trials, signature)
        self.validator = Validator(self.artifacts, layers, self.clock)
        self.store = SqliteStore(self.database)
        self.journal = Journal(self.store, self.clock, meter=EventMetrics(self.registry))
        self.trail = AuditTrail(self.audit, self.store, self.clock)
        self.operations = PluginOperations(lambda: self.coordinator.roster)
        self.hearing = Hearing(
            SqliteKeyValue(self.database, self.clock),
            self.operations,
            self.clock,
            tell=self.journal.tell,
        )
        self.news = News(
            self.journal,
            self.trail,
            self.hearing,
            ChangeMetrics(self.registry),
            operation=lambda id: self.coordinator.ledger.get(id),
            workers_changed=lambda: self._notice.leave(self.workers.processes.values()),
        )
        self._trace_key = make_trace_key(self.data)
        randomness = random.SystemRandom()
        self.mcp = McpKeeper(
            self.data,
            settings.log,
            publish=self.news.mcp,
            metrics=self.hearing.metrics,
            randomness=randomness,
        )
        self.coordinator = Coordinator(
            self.store,
            ArtifactCatalog(self.artifacts, self.environments),
            clock=self.clock,
            randomness=randomness,
            publish=self.news.publish,
            heard=self.hearing,
            beside=self.mcp,
        )
        self.hearing.roster = self.coordinator.roster
        self.files = FileManaged(self.coordinator, self.artifacts, self.trail.file_refused)
        addresses = [listener.address for listener in settings.listeners]
        self.listeners = Listeners(addresses, self.data / "run" / "listeners.json")
        self.workers = WorkerPool(
            WorkerLauncher(self._worker_options(), self.listeners),
            self.coordinator,
            clock=self.clock,
            randomness=randomness,
            publish=self.news.publish,
        )
        self._links = LinkServer(self._link_path, self._attach)
        tls = settings.admin.tls
        self._admin_tls = None if tls is None else server_tls(tls)
        self._admin_socket = open_listener(settings.admin.address)
        self._metrics_socket = open_listener(settings.metrics.address)
        self.stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []

    async def run(self, started: Callable[[], Awaitable[None]]) -> None:
        """Serve, and call `started` when all is up. Raises `PlugbayError` if it cannot start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stopping.set)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self.logs.close)
            stack.callback(self._held.close)
            stack.callback(self.database.close)
            stack.callback(self.audit.anchor)
            stack.push_async_callback(self.trail.flush)
            await self._start(stack)
            # A full collection over all that start-up has left stops every answer meanwhile.
            gc.collect()
            gc.freeze()
            await started()
            self._announce()
            await self.stopping.wait()
            _log.info("stopping: the workers drain")
            self._notice.remove()
        if not self.workers.processes:
            remove_shared(self.data)

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        if self.artifacts.backing is not None:
            stack.push_async_callback(self.artifacts.backing.close)
        for note in await asyncio.to_thread(check_isolation, self.settings.processes):
            _log.warning("%s", note)
        await sweep(self.artifacts)
        await asyncio.to_thread(self.environments.prepare)
        await ensure_user(self.database, self.data, self.clock)
        alive = self._notice.alive()
        self.listeners.claim(shared=alive)
        stack.callback(self.listeners.close)
        stack.push_async_callback(self.mcp.close)
        await self.mcp.start(self.coordinator.desired.mcp)
        await self.coordinator.start()
        stack.push_async_callback(self.coordinator.close)
        self._links.start()
        stack.push_async_callback(self._links.close)
        size = self.settings.workers or os.cpu_count() or 1
        self.workers.start(size, adopt=alive)
        stack.push_async_callback(self.workers.close)
        tls = self._admin_tls
        for app, listener, context in (
            (self._make_admin(), self._admin_socket, tls.context if tls else None),
            (self._make_probes(), self._metrics_socket, None),
        ):
            server = AsgiServer(app, listener, context)
            await server.start()
            stack.push_async_callback(server.close)
        stack.push_async_callback(self._end_tasks)
        self._spawn(self.journal.run(), "journal")
        if tls is not None:
            self._spawn(keep_fresh([tls]), "certificates")
        self._spawn(self.audit.run(), "audit anchor")
        self._spawn(self.trail.run(), "audit trail")
        self._spawn(self.hearing.collect(), "metrics")
        self._spawn(self.validator.recover(), "recover")
        found = self.settings.discovery
        look = Discovery(found, self.uploads, self.validator, self.journal.publish)
        self._spawn(look.follow(), "discovery")
        self._spawn(tidy(self.environments, self.artifacts), "environments")
        roster = self.coordinator.roster
        await roster.until(lambda: len(roster.ready()) >= size, READY_SECONDS)
        await self.files.start(self.settings)
        if self._config is not None:
            self._spawn(self.files.follow(self._config), "settings")

    def _make_admin(self) -> Any:
        return create_admin(
            Services(
                database=self.database,
                clock=self.clock,
                audit=self.audit,
                control=self.coordinator,
                configs=self.store,
                processes=self.workers,
                journal=self.journal,
                logs=self.hearing.logs,
                traffic=self.hearing.history,
                figures=PluginFigures(self.hearing.metrics, self.registry),
                operations=self.operations,
                artifacts=self.artifacts,
                uploads=self.uploads,
                validator=self.validator,
                upkeep=Upkeep(self.artifacts, self.uploads, self.validator),
                mcp=self.mcp,
            ),
            admin_options(self.settings, self._trace_key, RevokedTraces(self.data)),
        )

    def _make_probes(self) -> Probes:
        condition = Condition(self.coordinator.roster, lambda: self.files.problem)
        return Probes(metrics=self._render, health=condition.health, ready=condition.ready)

    def _render(self, content_type: str) -> bytes:
        families = self.hearing.metrics.collect(self.registry.collect())
        return render_prometheus(families, content_type=content_type)

    async def _attach(self, link: StreamLink, greeting: Greeting) -> None:
        self.listeners.take(greeting.worker, greeting.fds)
        await self.coordinator.attach(link)

    def _announce(self) -> None:
        if self._ready_file is not None:
            write_atomically(self._ready_file, json.dumps(self.facts()).encode())

    def facts(self) -> dict[str, Any]:
        """Where everything is."""
        scheme = "http" if self._admin_tls is None else "https"
        return {
            "pid": os.getpid(),
            "listeners": self.listeners.addresses,
            "admin": address_of(self._admin_socket),
            "admin_url": f"{scheme}://{address_of(self._admin_socket)}",
            "metrics": address_of(self._metrics_socket),
            "data_dir": str(self.data),
        }

    def _worker_options(self) -> WorkerOptions:
        settings = self.settings
        return WorkerOptions(
            workers=settings.workers or os.cpu_count() or 1,
            addresses=tuple(listener.address for listener in settings.listeners),
            data_dir=str(self.data),
            link=str(self._link_path),
            listeners=settings.listeners,
            limits=settings.limits,
            policy=settings.policy,
            processes=settings.processes,
            log=settings.log,
            tracing=settings.tracing,
        )

    @property
    def _link_path(self) -> Path:
        return self.data / "run" / "control.sock"

    def _spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
