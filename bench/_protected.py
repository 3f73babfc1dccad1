"""A gateway behind a trusted proxy, with all seven protection plugins and the key server.

Whoever sends requests here is the proxy: `x-forwarded-for` says for which client.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench._gateway import Gateway, wait_for
from plugbay.artifacts import build_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parents[1]
PROTECTION: Final = ROOT / "plugins" / "protection"
KEYSERVER: Final = ROOT / "plugins" / "services" / "keyserver"
DATA: Final = Path(__file__).parent / "data"
SEVEN: Final = ("threat", "antiabuse", "geo", "ratelimit-ml", "mlabuse", "zerotrust", "tarpit")
"""In the order of their chain; the tarpit is an action of the others."""
SETTINGS: Final = '[limits]\ntrusted_proxies = ["127.0.0.0/8"]\n'
SESSION: Final = "session"
"""The cookie by which geo tells who travels."""
ACCOUNT: Final = ("alice", "correct horse battery staple")


def compiled() -> None:
    """Let processes that are started from now on keep byte code, as an installation has it.

    Without it an import compiles, and that keeps the interpreter's lock for a tenth of a second.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(ROOT / "build" / "pycache")


def configuration() -> dict[str, dict[str, Any]]:
    """Return what each of the seven is told; all enforce."""
    geo = PROTECTION / "geo" / "tests" / "data"
    databases = [str(geo / f"GeoLite2-{name}-Test.mmdb") for name in ("City", "ASN")]
    feed = {"name": "ipsum", "path": str(DATA / "ipsum.txt")}
    public = {"name": "public", "paths": ["/"], "public": True}
    private = {"name": "private", "paths": ["/account"]}
    found: dict[str, dict[str, Any]] = {
        "threat": {"feeds": [feed]},
        "antiabuse": {"limit": 600, "window": 60.0},
        "geo": {"databases": databases, "session_cookie": SESSION},
        "ratelimit-ml": {},
        "mlabuse": {},
        "zerotrust": {"policies": [private, public], "secure": False},
        "tarpit": {"interval": 1.0, "seconds": 60.0},
    }
    return {name: {"mode": "enforce", **found[name]} for name in SEVEN}


def protected(gateway: Gateway, changes: Mapping[str, Mapping[str, Any]] | None = None) -> None:
    """Push and enable all seven and the key server; wait until each is ready to judge.

    `changes` are added to the configuration of a plugin. Raises `RuntimeError` if one fails.
    """
    told = configuration()
    for name in SEVEN:
        gateway.push(PROTECTION / name)
        config = {**told[name], **(changes or {}).get(name, {})}
        operation = gateway.put(name, version="1.0.0", config=config, watch=0.0)
        if operation["state"] == "failed":
            raise RuntimeError(f"{name}: {operation['error']}")
    gateway.client.upload(build_wheel(KEYSERVER, Path(tempfile.mkdtemp(dir=gateway.folder))))
    gateway.put("keyserver", version="1.0.0", watch=0.0)
    content = {"name": "keys", "path": "/pks", "plugin": "keyserver"}
    gateway.change("PUT", "/routes/keys", content)
    wait_for("the seven are ready", lambda: ready(gateway))


def ready(gateway: Gateway) -> bool:
    """Whether the feeds and the model of behaviour are there, in every worker."""
    feeds = operate(gateway, "threat", "status").values()
    models = operate(gateway, "ratelimit-ml", "status").values()
    indicators = all(one["threat_indicators"] for one in feeds)
    return indicators and all(one["ready"] for one in models)


def operate(
    gateway: Gateway, plugin: str, name: str, content: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Ask an operation of a plugin and return each worker's answer. Raises `RuntimeError`."""
    path, method = f"/plugins/{plugin}/operations/{name}", "GET" if content is None else "POST"
    answer: dict[str, Any] = gateway.client.call(method, path, content).json
    if answer["failed"]:
        raise RuntimeError(f"{plugin} {name}: {answer['failed']}")
    workers: dict[str, Any] = answer["workers"]
    return workers
