"""The steps from a program to a plugin that takes messages."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugbay.kernel import HookFailed, PluginError, StartFailed
from plugbay.km._config import KmConfig
from plugbay.km._dump import LONGEST_DUMP, Dump
from plugbay.km._expiry import expiry_warning
from plugbay.km._tiers import permits, spelled, stricter
from plugbay.km._validation import validate
from plugbay.km._voice import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.isolation import Sandbox
    from plugbay.kernel import Clock
    from plugbay.km._authorization import Authorizations, Grant
    from plugbay.km._discovery import Found
    from plugbay.km._status import Status
    from plugbay.km._validation import Verdict
    from plugbay.km._voice import Voice
    from plugbay.runtimes.process import KmPlugin


_SECRET = 8
"""Characters that a key has which is one: a shorter one would be found in any text."""
_HIDDEN = "(the API key)"


class Denied(Exception):
    """The user may not use the plugin, which is no error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms plugins are run."""

    authorizations: Authorizations
    voice: Voice
    api_key: str = ""
    config: KmConfig = field(default_factory=KmConfig)
    sandbox: Sandbox | None = None
    """Instead of what the configuration's limits say."""

    def words(self, text: str) -> str:
        """Return a plugin's words as they are shown: they move no cursor and tell no key."""
        secret = len(self.api_key) >= _SECRET
        return printable(text.replace(self.api_key, _HIDDEN) if secret else text)

    def failure(self, error: BaseException) -> str:
        """Say what went wrong, without the plugin's name."""
        return self.words(error.reason if isinstance(error, PluginError) else str(error))


class Starter:
    """Starts one plugin, as often as needed."""

    def __init__(self, found: Found, status: Status, terms: Terms, clock: Clock) -> None:
        self._found, self._status, self._terms, self._clock = found, status, terms, clock
        self._dump = Dump()

    async def start(self) -> tuple[KmPlugin, Grant]:
        """Validate, start, authenticate, compare tiers and initialize.

        Raises `Denied`, `Invalid` if the file may not be run, other `PlugbayError`s if it does
        not work. Then nothing of it is left.
        """
        found, voice = self._found, self._terms.voice
        self._dump = Dump()
        verdict = await self.look()
        voice.debug(f"{found.name}: valid, sha256 {verdict.digest[:16]}, {found.path}")
        from plugbay.runtimes.process import KmPlugin

        plugin = await KmPlugin.open(
            found.path, self._line, digest=verdict.digest, name=found.name, sandbox=self._sandbox()
        )
        try:
            voice.debug(f"{found.name}: its process runs")
            return plugin, await self._admit(plugin)
        except asyncio.CancelledError:  # the session is over: it has been waited for
            await plugin.kill()
            raise
        except BaseException:
            await plugin.close()
            raise

    async def look(self) -> Verdict:
        """See whether its file may be run now, and until when. Raises `Invalid`."""
        status, now = self._status, self._clock.time()
        verdict = await asyncio.to_thread(validate, self._found, self._terms.config, now=now)
        status.digest, status.publisher = verdict.digest, verdict.publisher
        status.expires = verdict.expires
        said = (verdict.warning, expiry_warning(verdict.expires, now))
        status.warnings = [one for one in said if one]
        return verdict

    async def _admit(self, plugin: KmPlugin) -> Grant:
        terms, status, name = self._terms, self._status, self._found.name
        info = await plugin.info()
        status.version = terms.words(info.version)[:64] or status.version
        status.tier = spelled(stricter(terms.words(info.tier)[:32] or "Free", self._found.tier))
        if terms.words(info.name) != name:
            terms.voice.debug(f"{name}: calls itself {terms.words(info.name)}")
        grant = await self.authorize(plugin)
        await plugin.initialize(
            api_endpoint=terms.config.api_endpoint,
            api_key=terms.api_key,
            debug=terms.voice.debugging,
        )
        terms.voice.debug(f"{name}: initialized")
        return grant

    async def authorize(self, plugin: KmPlugin) -> Grant:
        """Let the plugin itself say whether the user may use it. Raises `Denied`, `HookFailed`."""
        terms, status, name = self._terms, self._status, self._found.name
        try:
            said = await plugin.authenticate(terms.api_key)
        except StartFailed as refused:
            terms.authorizations.drop(name, terms.api_key)
            raise Denied(f"{terms.failure(refused)}{self._keyless()}") from None
        status.user_tier = spelled(terms.words(said.user_tier)[:32])
        status.features = tuple(terms.words(one)[:64] for one in said.features[:32])
        problem = ""
        if not said.authorized:
            problem = f"it does not authorise this user{self._keyless()}"
        elif not permits(status.tier, said.user_tier):
            problem = f"it needs the tier {status.tier}, the user has {status.user_tier or 'none'}"
        if problem:
            terms.authorizations.drop(name, terms.api_key)
            raise Denied(problem)
        grant = terms.authorizations.put(name, terms.api_key, said)
        if grant.until <= grant.renew:
            terms.authorizations.drop(name, terms.api_key)
            raise Denied("its authorisation has expired")
        terms.voice.debug(
            f"{name}: authorised, tier {status.user_tier}, until {terms.words(said.expires_at)}"
        )
        return grant

    def _keyless(self) -> str:
        return "" if self._terms.api_key else "; no API key is set"

    async def renew(self, plugin: KmPlugin) -> Grant:
        """Authorise again; where the plugin cannot be asked, what counts still counts on.

        Raises `Denied`, and `HookFailed` if nothing counts any more.
        """
        name, key = self._found.name, self._terms.api_key
        try:
            return await self.authorize(plugin)
        except HookFailed as error:
            kept = self._terms.authorizations.get(name, key)
            if kept is None:
                raise
            self._terms.voice.debug(
                f"{name}: cannot be asked again now: {self._terms.failure(error)}"
            )
            return kept

    def _sandbox(self) -> Sandbox:
        from plugbay.isolation import Sandbox

        if self._terms.sandbox is not None:
            return self._terms.sandbox
        limits = self._terms.config.limits
        own = self._terms.config.plugin(self._found.name)
        network = limits.network if own.network is None else own.network
        return Sandbox(
            data_mb=limits.memory_mb if own.memory_mb is None else own.memory_mb,
            open_files=limits.open_files,
            cpu_seconds=limits.cpu_seconds,
            processes=limits.processes,
            network="host" if network else "loopback",
            isolation=limits.isolation,
            read=_expanded(limits.readable),
            write=_expanded(limits.writable),
        )

    def _line(self, level: int, text: str, fields: dict[str, object]) -> None:
        voice, name = self._terms.voice, self._found.name
        if voice.debugging or self._dump.shows(text):
            voice.line(name, level, self._terms.words(text), fields)
        elif self._dump.lines == LONGEST_DUMP + 1:
            voice.say(f"{name}: the rest of where it was is left out; KM_DEBUG=1 shows it")


def _expanded(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(os.path.expanduser(path) for path in paths)
