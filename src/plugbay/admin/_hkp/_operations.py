"""What `/plugins` changes: each is an operation of the control plane."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import msgspec

from plugbay.admin._changes import tag_of
from plugbay.admin._hkp._changes import carry_out
from plugbay.admin._hkp._errors import RefusedError
from plugbay.admin._hkp._shapes import Done, HkpConfig, HkpRollback, Validated
from plugbay.admin._hkp._times import moment
from plugbay.admin._http import Ask, principal, read_limited
from plugbay.admin._schema import check_config
from plugbay.control import Configure, Disable, Enable, Reload, Rollback
from plugbay.kernel import NotFound, convert, diff

if TYPE_CHECKING:
    from plugbay.admin._hkp._system import HkpSystem
    from plugbay.control import Operation

GIVEN = frozenset({"plugin", "config", "timestamp", "version", "config_schema", "versions"})
"""The keys of what GET answers: it may be edited and sent back as it is."""


class HkpOperations:
    """The changes, on behalf of one request."""

    def __init__(self, system: HkpSystem, request: Ask) -> None:
        self._system, self._request = system, request

    def allow(self, plugin: str) -> None:
        """Raises `NotFound`, `RefusedError` without a name, `Forbidden` for a limited token."""
        if not plugin:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "name the plugin: ?plugin=<id>")
        principal(self._request).require_plugin(plugin)
        self._system.view(plugin)

    async def reload(self, plugin: str) -> Done:
        """Start a fresh generation in every worker; the old one drains. Ends a quarantine."""
        self.allow(plugin)
        if not self._system.view(plugin).desired.enabled:
            message = f"{plugin} is disabled: start it instead"
            raise RefusedError(HTTPStatus.CONFLICT, message)
        operation = await self._carry_out(plugin, Reload(plugin=plugin))
        return self._done(plugin, "Plugin reloaded successfully", operation)

    async def start(self, plugin: str) -> Done:
        """Run a plugin that is disabled, failed or in quarantine."""
        self.allow(plugin)
        view = self._system.view(plugin)
        if view.desired.enabled and view.state != "failed":
            return self._done(plugin, "Plugin is already started")
        change = Reload(plugin=plugin) if view.desired.enabled else Enable(plugin=plugin)
        operation = await self._carry_out(plugin, change)
        return self._done(plugin, "Plugin started successfully", operation)

    async def stop(self, plugin: str, *, force: bool) -> Done:
        """Stop a plugin: no new request enters it, those inside are ended first."""
        self.allow(plugin)
        if not self._system.view(plugin).desired.enabled:
            return self._done(plugin, "Plugin is already stopped")
        operation = await self._carry_out(plugin, Disable(plugin=plugin, force=force))
        return self._done(plugin, "Plugin stopped successfully", operation)

    async def configure(self, plugin: str) -> Done:
        """Validate another configuration and swap to it."""
        self.allow(plugin)
        wish = await self._config()
        check_config(self._system.artifact(plugin).config_schema, wish.config)
        if not diff(self._system.view(plugin).desired.config, wish.config):
            return self._done(plugin, "Configuration is unchanged", warning=True)
        change = Configure(plugin=plugin, config=wish.config, comment=wish.comment)
        operation = await self._carry_out(plugin, change)
        return self._done(plugin, "Configuration updated successfully", operation)

    async def validate(self, plugin: str) -> Validated:
        """Check a configuration without applying it. Raises `Invalid`."""
        view, wish = self._system.view(plugin), await self._config()
        check_config(self._system.artifact(plugin).config_schema, wish.config)
        return Validated(
            plugin=plugin,
            status="success",
            message="Configuration is valid",
            timestamp=moment(self._system.now),
            valid=True,
            differences=list(diff(view.desired.config, wish.config)),
        )

    async def rollback(self, plugin: str) -> Done:
        """Go back to an earlier configuration: a fresh generation that runs with it."""
        self.allow(plugin)
        raw = await self._read()
        wish = convert(_plain(raw), HkpRollback, what="rollback") if raw else HkpRollback()
        configs = {
            one.version: one for one in self._system.context.services.configs.configs(plugin)
        }
        current = self._system.view(plugin).desired.config_version
        before = max((number for number in configs if number < current), default=0)
        number = wish.version or before
        if number not in configs:
            asked = f"config version {wish.version}" if wish.version else "earlier configuration"
            raise NotFound(f"{plugin} has no {asked}")
        check_config(self._system.artifact(plugin).config_schema, configs[number].config)
        change = Rollback(plugin=plugin, config_version=number, comment=wish.comment)
        operation = await self._carry_out(plugin, change)
        return self._done(plugin, f"Configuration rolled back to version {number}", operation)

    def tag(self, plugin: str) -> dict[str, str]:
        """The entity tag of a plugin, as a header."""
        tag = tag_of(self._system.context.services.control.desired, f"plugins/{plugin}")
        return {"etag": tag} if tag else {}

    async def _carry_out(self, plugin: str, change: Any) -> Operation:
        return await carry_out(self._request, self._system.context, change, plugin=plugin)

    def _done(
        self,
        plugin: str,
        message: str,
        operation: Operation | None = None,
        *,
        warning: bool = False,
    ) -> Done:
        control = self._system.context.services.control
        ended = operation is None or operation.finished or control.converged(operation)
        if not ended:
            message = "Accepted; the workers have not all answered yet, and it goes on"
        spec = control.desired.plugins.get(plugin)
        return Done(
            plugin=plugin,
            status="success" if ended and not warning else "warning",
            message=message,
            timestamp=moment(self._system.now),
            operation=operation.id if operation else "",
            config_version=spec.config_version if spec else 0,
        )

    async def _config(self) -> HkpConfig:
        """The configuration that was sent, by itself or as GET gives it."""
        plain = _plain(await self._read())
        if not isinstance(plain, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
        sent = cast("dict[str, Any]", plain)
        if not isinstance(sent.get("config"), dict) or sent.keys() - GIVEN - {"comment"}:
            return HkpConfig(config=sent)
        kept = {name: sent[name] for name in ("config", "comment") if name in sent}
        return convert(kept, HkpConfig, what="config")

    async def _read(self) -> bytes:
        return await read_limited(self._request, self._system.context.options.max_body)


def _plain(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
