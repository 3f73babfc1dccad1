"""Reading the settings: TOML, then the environment, then checks that span several keys."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from plugbay.kernel import Invalid, NotFound, Problem, convert
from plugbay.mcp.serving import problems_of
from plugbay.settings._model import Settings
from plugbay.settings._overlay import merged, settings_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from plugbay.settings._model import AdminSettings

PREFIX = "PLUGBAY_"
OTHERS = re.compile(r"PLUGBAY_(ADMIN_URL|TOKEN|ENV|STATE_DIR|KEY_PASSWORD|SECRET_.*)")
"""Variables of the commands, of secrets and of the environment's name: no settings."""


def load(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read `path` (None: defaults only) and the environment.

    With `PLUGBAY_ENV=staging`, what `gateway.staging.toml` says comes over `gateway.toml`.
    Raises `NotFound` if a file is not there and `Invalid` if it is wrong.
    """
    if path is None:
        return parse("", environment)
    files = settings_files(path, environment)
    raw: dict[str, Any] = {}
    for file in files:
        raw = merged(raw, _toml(_read(file), str(file)))
    return _settings(raw, environment, " + ".join(map(str, files)))


def parse(text: str, environment: Mapping[str, str], *, what: str = "settings") -> Settings:
    """Parse TOML text. A variable `PLUGBAY_ADMIN__ADDRESS` overrides `address` of `[admin]`.

    Raises `Invalid`, whose problems point at the keys that are wrong.
    """
    return _settings(_toml(text, what), environment, what)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise NotFound(f"the settings file {path} cannot be read: {error.strerror}") from error


def _toml(text: str, what: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{what}: not valid TOML: {error}") from error


def _settings(raw: dict[str, Any], environment: Mapping[str, str], what: str) -> Settings:
    for name, value in environment.items():
        if name.startswith(PREFIX) and not OTHERS.fullmatch(name):
            _override(raw, name, value)
    settings = convert(raw, Settings, what=what)
    problems = tuple(_problems(settings))
    if problems:
        raise Invalid(f"{what}: {problems[0].pointer}: {problems[0].detail}", problems=problems)
    return settings


def _override(raw: dict[str, Any], name: str, value: str) -> None:
    *tables, key = name.removeprefix(PREFIX).lower().split("__")
    for table in tables:
        inner = raw.setdefault(table, {})
        if not isinstance(inner, dict):
            raise Invalid(f"{name}: {table} is not a table of settings")
        raw = cast("dict[str, Any]", inner)
    try:
        # A number, a boolean or a list is written as in TOML; anything else is text.
        raw[key] = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        raw[key] = value


def _problems(settings: Settings) -> Iterator[Problem]:
    upstreams = [upstream.name for upstream in settings.upstreams]
    served = [*upstreams, *settings.mcp.names]
    yield from _repeated("/upstreams", upstreams)
    yield from problems_of(settings.mcp, upstreams)
    yield from _repeated("/routes", [route.name for route in settings.routes])
    yield from _repeated("/plugins", [plugin.id for plugin in settings.plugins])
    for index, upstream in enumerate(settings.upstreams):
        for position, target in enumerate(upstream.targets):
            yield from _address(f"/upstreams/{index}/targets/{position}/address", target.address)
        if not upstream.targets:
            yield Problem(f"/upstreams/{index}/targets", "an upstream needs at least one target")
    for index, route in enumerate(settings.routes):
        at = f"/routes/{index}"
        if len(route.leads) != 1:
            detail = f"route {route.name!r} needs either an upstream or a plugin, or mcp"
            yield Problem(at, detail, "one of upstream, plugin and mcp")
        leads = (("upstream", route.upstream, upstreams), ("mcp", route.mcp, served))
        for key, name, names in leads:
            if name and name not in names:
                known = ", ".join(names) or "none is defined"
                detail = f"no upstream is named {name!r}"
                yield Problem(f"{at}/{key}", detail, expected=known, found=name)
        if not route.path.startswith("/"):
            yield Problem(f"{at}/path", "a path starts with '/'", found=route.path)
    for index, listener in enumerate(settings.listeners):
        yield from _address(f"/listeners/{index}/address", listener.address)
    if not settings.listeners:
        yield Problem("/listeners", "at least one listener is needed")
    yield from _address("/admin/address", settings.admin.address)
    yield from _admin(settings.admin)
    yield from _address("/metrics/address", settings.metrics.address)
    if settings.artifacts.store == "gridfs" and not settings.artifacts.gridfs.uri:
        yield Problem("/artifacts/gridfs/uri", "the store gridfs needs it", "mongodb://…")
    tracing = settings.tracing
    if tracing.endpoint and not tracing.endpoint.startswith(("http://", "https://")):
        yield Problem("/tracing/endpoint", "not a URL", "http://… or https://…", tracing.endpoint)
    if not 0 <= tracing.ratio <= 1:
        yield Problem("/tracing/ratio", "not a share", "0 to 1", str(tracing.ratio))
    if settings.discovery.interval <= 0:
        found = str(settings.discovery.interval)
        yield Problem("/discovery/interval", "not an interval", "more than 0 seconds", found)
    if settings.workers < 0:
        yield Problem("/workers", "0 (one for each core) or more", found=str(settings.workers))


def _admin(admin: AdminSettings) -> Iterator[Problem]:
    parts = urlsplit(admin.public_url)
    if admin.public_url and (parts.scheme not in ("http", "https") or not parts.hostname):
        yield Problem("/admin/public_url", "not a URL", "https://<name>", admin.public_url)
    for name in ("requests_per_minute", "uploads_per_minute"):
        if getattr(admin, name) < 1:
            yield Problem(f"/admin/{name}", "1 or more", found=str(getattr(admin, name)))
    for name in ("session", "session_idle", "access_token", "refresh_token"):
        if not getattr(admin, name) > 0:
            yield Problem(f"/admin/{name}", "more than 0 seconds", found=str(getattr(admin, name)))
    if admin.oidc is None:
        return
    if not admin.public_url:
        yield Problem("/admin/public_url", "OpenID Connect needs it, to lead browsers back")
    if not admin.oidc.issuer.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        yield Problem("/admin/oidc/issuer", "not https", "https://…", admin.oidc.issuer)
    if not admin.oidc.roles:
        yield Problem("/admin/oidc/roles", "nobody could sign in", "a group and its roles")


def _repeated(at: str, names: Iterable[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield Problem(f"{at}/{index}", f"the name {name!r} is used twice")
        seen.add(name)


def _address(at: str, address: str) -> Iterator[Problem]:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        yield Problem(at, "not an address", expected="host:port", found=address)
