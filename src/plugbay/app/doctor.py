"""`plugbay doctor`: checks of what plugins before MCP servers need, one finding each."""

from __future__ import annotations

import http.client
import importlib.util
import os
import stat
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from plugbay.isolation import NOTES, REMEDIES, probe
from plugbay.kernel import Invalid
from plugbay.km import (
    DIRECTORIES,
    FILE,
    WORKING,
    discover,
    expiry_warning,
    read_config,
    read_trust,
    validate,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plugbay.km import Found, KmConfig

EXTRAS = {"grpc": "grpc", "sigstore": "sigstore", "protection": "maxminddb", "gridfs": "pymongo"}
"""Extras, and a module that each brings. Only the first is needed by plugins of Kilometers."""
SHORTEST_KEY = 10
SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found, and what mends it."""

    check: str
    result: Literal["ok", "warning", "failed"]
    detail: str
    remedy: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def examine(url: str, *, gateway: bool) -> list[Finding]:
    """Make every check. The gateway's only fails if `gateway` says that there must be one."""
    found, hidden = discover()
    findings = [*_directories(), _key(wanted=bool(found))]
    try:
        config = read_config()
        if config.publishers or config.signatures != "off":
            read_trust(config)
    except Invalid as error:
        findings.append(Finding("configuration", "failed", error.detail))
    else:
        findings.append(Finding("configuration", "ok", f"signatures: {config.signatures}"))
        findings += _plugins(config, found, hidden)
    extras = _extras(plugins=bool(found))
    return [*findings, *_isolation(), *extras, _gateway(url, wanted=gateway)]


def _directories() -> Iterator[Finding]:
    for directory in DIRECTORIES:
        path = directory.expanduser()
        if not path.is_dir():
            if directory != WORKING:
                yield Finding("folder", "ok", f"{directory} is not there")
            continue
        about = path.stat()
        if about.st_mode & stat.S_IWOTH or about.st_uid not in (os.geteuid(), 0):
            detail = f"{directory}: others can put plugins there"
            yield Finding("folder", "failed", detail, f"chmod o-w {path}, and own it")
        else:
            yield Finding("folder", "ok", str(directory))


def _key(*, wanted: bool) -> Finding:
    key = os.environ.get("KM_API_KEY", "")
    if not key and not wanted:
        return Finding("key", "ok", "KM_API_KEY is not set: there is no plugin that asks for it")
    if not key:
        return Finding("key", "warning", "KM_API_KEY is not set", "export KM_API_KEY=…")
    if len(key) < SHORTEST_KEY:
        return Finding("key", "warning", "KM_API_KEY is very short", "look at it again")
    return Finding("key", "ok", f"KM_API_KEY has {len(key)} characters")


def _plugins(
    config: KmConfig, found: Sequence[Found], hidden: Sequence[Found]
) -> Iterator[Finding]:
    for one in found:
        try:
            verdict = validate(one, config)
        except Invalid as error:
            remedy = f"replace {one.path}, let a publisher sign it, or see {FILE}"
            yield Finding("plugin", "failed", f"{one.name}: {error.detail}", remedy)
            continue
        signed = f"signed by {verdict.publisher}" if verdict.publisher else "no signature is asked"
        warning = verdict.warning or expiry_warning(verdict.expires, time.time())
        result: Literal["ok", "warning"] = "warning" if warning else "ok"
        yield Finding("plugin", result, f"{one.name}: {warning or signed}")
    for one in hidden:
        detail = f"{one.path} is hidden by another plugin {one.name}"
        yield Finding("plugin", "warning", detail, "remove one of them")
    if not found:
        yield Finding("plugin", "ok", f"there are none; {FILE} and the folders say which")


def _isolation() -> Iterator[Finding]:
    try:
        report = probe()
    except OSError as error:
        yield Finding("isolation", "failed", f"no process can be started: {error.strerror}")
        return
    for code in report.missing:
        yield Finding("isolation", "warning", NOTES[code], REMEDIES[code])
    if report.landlock:
        detail = f"files are guarded by Landlock (ABI {report.landlock})"
        yield Finding("isolation", "ok", detail)
    if not {"network", "udp", "sockets"} & {*report.missing}:
        detail = "plugins' processes have namespaces of their own for network and mounts"
        yield Finding("isolation", "ok", detail)


def _extras(*, plugins: bool) -> Iterator[Finding]:
    for extra, module in EXTRAS.items():
        if importlib.util.find_spec(module) is not None:
            yield Finding("extra", "ok", f"plugbay[{extra}] is installed")
        elif extra == "grpc" and plugins:
            yield Finding(
                "extra", "failed", "plugins need plugbay[grpc]", "pip install 'plugbay[grpc]'"
            )
        else:
            yield Finding("extra", "ok", f"plugbay[{extra}] is not installed")


def _gateway(url: str, *, wanted: bool) -> Finding:
    parts = urlsplit(url if "//" in url else f"http://{url}")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.netloc, timeout=SECONDS)
        try:
            connection.request("GET", "/admin/api/v1/openapi.json")
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        detail = f"nothing answers at {url}: {error}"
        remedy = "plugbay serve, or --url" if wanted else ""
        return Finding("gateway", "failed" if wanted else "ok", detail, remedy)
    return Finding("gateway", "ok", f"{url} answers ({status})")
