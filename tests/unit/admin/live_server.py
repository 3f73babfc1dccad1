"""The admin API in uvicorn, as a process of its own: `python -m tests.unit.admin.live_server DIR`.

Prints its port and the first password as JSON, then serves until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import uvicorn
from tests.unit.admin.cluster import Cluster

from plugbay.admin import (
    AdminOptions,
    AuditLog,
    Journal,
    RecentLogs,
    Services,
    create_admin,
    ensure_first_user,
)
from plugbay.app._clock import SystemClock
from plugbay.artifacts import (
    ArtifactStore,
    Form,
    ManifestLayer,
    Platform,
    TrialLayer,
    Upkeep,
    Uploader,
    Validator,
)
from plugbay.observability import History, Merged, PluginFigures, Registry
from plugbay.runtimes import run_trial
from plugbay.storage import Database


async def serve(path: Path) -> None:
    clock = SystemClock()
    db = Database.open(path / "plugbay.sqlite3")
    await ensure_first_user(db, path, clock)
    artifacts = ArtifactStore(path, db)
    cluster = Cluster(db, artifacts, workers=1)
    journal = Journal(cluster.store, clock)
    cluster.publish = journal.publish
    layers = (Form(), ManifestLayer(), Platform(), TrialLayer(run_trial, artifacts.payload))
    uploads, validator = Uploader(artifacts, clock), Validator(artifacts, layers, clock)
    services = Services(
        database=db,
        clock=clock,
        audit=AuditLog(db, path),
        control=cluster.coordinator,
        configs=cluster.store,
        artifacts=artifacts,
        uploads=uploads,
        validator=validator,
        upkeep=Upkeep(artifacts, uploads, validator),
        processes=cluster,
        journal=journal,
        logs=RecentLogs(),
        traffic=History(clock),
        figures=PluginFigures(Merged(), Registry()),
        operations=cluster.operations,
    )
    app = create_admin(services, AdminOptions(heartbeat=0.1))
    listener = socket.create_server(("127.0.0.1", 0))
    password = (path / "first-password").read_text().strip()
    said = {"port": listener.getsockname()[1], "password": password}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    await cluster.start()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    await server.serve(sockets=[listener])
    await cluster.close()
    db.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
