"""Limits how often each client may call tools, and what it may spend.

Clients are told apart by identity, not by session: a new session would be a new budget.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase

from plugbay.sdk import Block, McpFilter, Message, Plugin, Stateful

DAY = 86_400.0
_CLIENTS = 10_000


@dataclass(frozen=True, slots=True)
class Config:
    """0 switches a limit off."""

    calls: int = 60
    """Calls in any `window`, with bursts up to this number."""
    window: float = 60.0
    costs: dict[str, float] = field(default_factory=dict[str, float])
    """What a call costs, by the tool's name with `*`; the first that matches. Else nothing."""
    budget: float = 0.0
    """What may be spent in a day, from the first call on."""
    identical: int = 0
    """So many calls in a row with the same arguments are a loop, and are refused."""


@dataclass(slots=True)
class Account:
    """What one client has used. Times are Unix times: they outlive the process."""

    tokens: float
    at: float
    spent: float = 0.0
    since: float = 0.0
    last: str = ""
    repeats: int = 0


class Budget(Plugin[Config], McpFilter, Stateful):
    """Refuses a call that is too much, and says when to try again."""

    async def start(self) -> None:
        """Know nobody yet. Raises `ValueError` for a limit that makes no sense."""
        if self.config.window <= 0 or min(self.config.calls, self.config.budget) < 0:
            raise ValueError("window is more than 0, calls and budget are 0 or more")
        self._accounts: OrderedDict[str, Account] = OrderedDict()

    def on_tool_call(self, message: Message) -> Block | None:
        """Count the call, or refuse it."""
        now = self.host.clock.time()
        account = self._account(message.session.identity, now)
        return (
            self._loop(account, message)
            or self._rate(account, now)
            or self._cost(account, self._price(message.target), now)
        )

    def snapshot(self) -> bytes:
        """Return every account."""
        return json.dumps({name: asdict(one) for name, one in self._accounts.items()}).encode()

    def restore(self, state: bytes) -> None:
        """Go on with the accounts of the generation before."""
        for name, one in json.loads(state).items():
            self._accounts[name] = Account(**one)

    def _account(self, identity: str, now: float) -> Account:
        account = self._accounts.get(identity)
        if account is None:
            account = self._accounts[identity] = Account(float(self.config.calls), now, since=now)
            if len(self._accounts) > _CLIENTS:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(identity)
        return account

    def _loop(self, account: Account, message: Message) -> Block | None:
        if not self.config.identical:
            return None
        said = json.dumps([message.target, message.arguments], sort_keys=True)
        same = hashlib.sha256(said.encode()).hexdigest()
        account.repeats = account.repeats + 1 if same == account.last else 1
        account.last = same
        if account.repeats <= self.config.identical:
            return None
        reason = (
            f"the same call of {message.target} was made {account.repeats} times in a row:"
            " change the arguments, or use what it has answered"
        )
        return Block(reason, 42901, "loop")

    def _rate(self, account: Account, now: float) -> Block | None:
        """A token bucket: it holds `calls`, and fills up in `window` seconds."""
        calls = self.config.calls
        if not calls:
            return None
        pace = calls / self.config.window
        account.tokens = min(calls, account.tokens + max(0.0, now - account.at) * pace)
        account.at = now
        if account.tokens >= 1:
            account.tokens -= 1
            return None
        wait = (1 - account.tokens) / pace
        reason = f"more than {calls} calls in {self.config.window:g} s"
        return Block(reason, 42901, "rate", retry_after=wait)

    def _cost(self, account: Account, price: float, now: float) -> Block | None:
        if now - account.since >= DAY:
            account.since, account.spent = now, 0.0
        if not self.config.budget or account.spent + price <= self.config.budget:
            account.spent += price
            return None
        left = self.config.budget - account.spent
        reason = f"this call costs {price:g}, and {left:g} is left of {self.config.budget:g} a day"
        return Block(reason, 42901, "budget", retry_after=DAY - (now - account.since))

    def _price(self, tool: str) -> float:
        for pattern, price in self.config.costs.items():
            if fnmatchcase(tool, pattern):
                return price
        return 0.0
