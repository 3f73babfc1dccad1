"""Users and sessions in the gateway's database, so that all workers have them; cached here."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plugbay.sdk import HostUnavailable
from plugbay.sdk.protection import Timed

from ._records import History, Session, User, tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.sdk import Host

ENDED: Final = "ztna.session.terminated"
RENEWED: Final = "ztna.session.changed"
CHANGED: Final = "ztna.user.changed"
_TOKEN: Final = 24 + 1 + 43
_TRIES: Final = 16
_STALE: Final = 300.0
"""Seconds for which a known session outlasts a database that is away."""


class SessionChanged(Exception):
    """Another request, perhaps in another worker, has changed or ended the session meanwhile."""


@dataclass(slots=True)
class Held:
    """A session as a worker has it: when it was last used, and when its entries were read."""

    digest: str
    session: Session
    user: User
    used: float
    read: float
    written: float
    raw: bytes
    """The session's entry as it was read."""


class Sessions:
    """Makes, finds and ends sessions.

    When a session was used is kept beside it, so that a worker that says so cannot bring back what
    another one has ended or changed.
    """

    def __init__(
        self, host: Host, *, idle: float, absolute: float, most: int, cache: float
    ) -> None:
        self._host, self._idle, self._absolute, self._cache = host, idle, absolute, cache
        self._held: Timed[Held] = Timed(most)
        self._strangers: Timed[bool] = Timed(most)

    def __len__(self) -> int:
        return len(self._held)

    # --- users

    async def user(self, name: str) -> User | None:
        """Return a user. Raises `HostUnavailable`."""
        raw = await self._host.kv.get(f"users/{tag(name)}")
        return User.load(raw) if raw is not None else None

    async def add(self, user: User) -> bool:
        """Keep a new user; return whether it is one. Raises `HostUnavailable`."""
        return await self._host.kv.swap(f"users/{tag(user.name)}", None, user.dump())

    async def change(self, name: str, edit: Callable[[User], None]) -> User | None:
        """Change a user, anew if somebody else was quicker; return it, None if there is none.

        Raises `HostUnavailable`, and what `edit` raises: then nothing has changed.
        """
        key = f"users/{tag(name)}"
        for _ in range(_TRIES):
            raw = await self._host.kv.get(key)
            if raw is None:
                return None
            user = User.load(raw)
            edit(user)
            if await self._host.kv.swap(key, raw, user.dump()):
                self.forget_user(name)
                self._host.events.publish(CHANGED, user=name)
                return user
        raise HostUnavailable("others change the same user all the time")

    async def users(self) -> list[User]:
        """Return all. Raises `HostUnavailable`."""
        raws = [await self._host.kv.get(key) for key in await self._host.kv.keys("users/")]
        return [User.load(raw) for raw in raws if raw is not None]

    async def history(self, name: str) -> History:
        """Return where and when a user has signed in. Raises `HostUnavailable`."""
        raw = await self._host.kv.get(f"history/{tag(name)}")
        return History.load(raw) if raw is not None else History()

    async def note(self, name: str, history: History) -> None:
        """Keep that."""
        await self._host.kv.set(f"history/{tag(name)}", history.dump())

    async def last_step(self, name: str) -> int:
        """Return the time step of the last one-time password that was used (RFC 6238, 5.2)."""
        return int(await self._host.kv.get(f"totp/{tag(name)}") or 0)

    async def use_step(self, name: str, step: int) -> bool:
        """Keep that, and return whether it was not used before, in any worker.

        Those of an hour ago are too old anyway.
        """
        key = f"totp/{tag(name)}"
        raw = await self._host.kv.get(key)
        if raw is not None and int(raw) >= step:
            return False
        return await self._host.kv.swap(key, raw, str(step).encode(), ttl=3600.0)

    # --- sessions

    async def begin(self, session: Session) -> str:
        """Keep a new session and return its token. Raises `HostUnavailable`."""
        token = f"{tag(session.user)}.{secrets.token_urlsafe(32)}"
        key = _key(token)
        await self._put(key, None, session)
        await self._touch(key, self._host.clock.time())
        return token

    async def update(self, held: Held, session: Session) -> None:
        """Keep what has changed of a session. Raises `SessionChanged`, `HostUnavailable`."""
        if not await self._put(held.digest, held.raw, session):
            raise SessionChanged

    async def _put(self, key: str, before: bytes | None, session: Session) -> bool:
        left = session.began + self._absolute - self._host.clock.time()
        done = await self._host.kv.swap(
            f"sessions/{key}", before, session.dump(), ttl=max(1.0, left)
        )
        self._held.pop(key)
        self._host.events.publish(RENEWED, session=key)
        return done

    async def end(self, key: str, why: str) -> None:
        """End a session, everywhere."""
        self._held.pop(key)
        await self._host.kv.delete(f"sessions/{key}")
        await self._host.kv.delete(f"used/{key}")
        self._host.events.publish(ENDED, session=key, why=why)

    async def of_user(self, name: str) -> dict[str, Session]:
        """Return the sessions of a user by their keys."""
        found: dict[str, Session] = {}
        for key in await self._host.kv.keys(f"sessions/{tag(name)}."):
            raw = await self._host.kv.get(key)
            if raw is not None:
                found[key.removeprefix("sessions/")] = Session.load(raw)
        return found

    def known(self, token: str) -> Held | None:
        """Return a session that need not be looked up and is still good."""
        held = self._held.get(_key(token), self._host.clock.time()) if _is_token(token) else None
        now = self._host.clock.time()
        if held is None or now - held.read >= self._cache or self._is_over(held, now):
            return None
        if now - held.written >= self._idle / 10:
            return None
        held.used = now
        return held

    async def find(self, token: str) -> Held | None:
        """Return the session of a token. Raises `HostUnavailable` if that cannot be known."""
        if not _is_token(token):
            return None
        key, now = _key(token), self._host.clock.time()
        if self._strangers.get(key, now):
            return None
        before = self._held.get(key, now)
        try:
            held = await self._read(key, before)
        except HostUnavailable:
            if before is None or now - before.read > _STALE:
                raise
            held = before
        if held is None or self._is_over(held, now):
            self._held.pop(key)
            self._strangers.put(key, True, now + 1.0, now)
            return None
        held.used = now
        if now - held.written >= self._idle / 10:
            await self._used(held, now)
        self._held.put(key, held, held.session.began + self._absolute, now)
        return held

    async def _read(self, key: str, before: Held | None) -> Held | None:
        now, kv = self._host.clock.time(), self._host.kv
        raw, used = await kv.get(f"sessions/{key}"), await kv.get(f"used/{key}")
        if raw is None or used is None:
            return None
        session, written = Session.load(raw), float(used)
        user = await self.user(session.user)
        if user is None or user.disabled or user.epoch != session.epoch:
            return None
        last = max(written, before.used if before is not None else 0.0)
        return Held(key, session, user, last, now, written, raw)

    def _is_over(self, held: Held, now: float) -> bool:
        return now - held.used >= self._idle or now - held.session.began >= self._absolute

    async def _used(self, held: Held, now: float) -> None:
        try:
            await self._touch(held.digest, now)
            held.written = now
        except HostUnavailable:
            self._host.log.warning("that a session is in use cannot be kept now")

    async def _touch(self, key: str, now: float) -> None:
        await self._host.kv.set(f"used/{key}", str(now).encode(), ttl=self._idle)

    # --- what other workers say

    def forget(self, key: str) -> None:
        """Ask again for a session."""
        self._held.pop(key)
        self._strangers.pop(key)

    def forget_user(self, name: str) -> None:
        """Ask again for all sessions of a user."""
        for key, _, held in self._held.items(0.0):
            if held.session.user == name:
                self._held.pop(key)


def _is_token(text: str) -> bool:
    return len(text) == _TOKEN and text.isascii() and text[24] == "."


def _key(token: str) -> str:
    owner, _, secret = token.partition(".")
    return f"{owner}.{hashlib.blake2b(secret.encode(), digest_size=20).hexdigest()}"
