"""What a worker is told when it starts."""

# No postponed annotations here: msgspec reads them, so they must be real.

import msgspec

from plugbay.gateway import ListenerLimits
from plugbay.isolation import ProcessPolicy
from plugbay.settings import ListenerSettings, LogSettings, PolicySettings, TraceSettings


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker is told when it starts; the rest comes over its link."""

    worker: str = ""
    workers: int = 1
    fds: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    data_dir: str
    link: str
    listeners: tuple[ListenerSettings, ...]
    limits: ListenerLimits
    policy: PolicySettings
    processes: ProcessPolicy = ProcessPolicy()
    log: LogSettings
    tracing: TraceSettings = TraceSettings()
