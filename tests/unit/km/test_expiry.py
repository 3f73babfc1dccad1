"""Bundles that expire: before they are opened, before a plugin is started, and while it runs."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from plugbay.app._clock import SystemClock
from plugbay.artifacts.signing import generate_key, load_private_key, public_pem
from plugbay.kernel import Invalid
from plugbay.km import State, discover, read_config, read_trust
from plugbay.km.bundle import install, make, open_bundle

from .conftest import until

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Home

NOW = time.time()


class ShiftedClock(SystemClock):
    """The system's time, and what a test adds to it."""

    ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead


def bundled(home: Home, *, created: float, expires: float) -> Path:
    """Make a bundle with a real key, and install its plugin as it was possible before `expires`."""
    pem = generate_key()
    (home.path / "acme.key.pub").write_bytes(public_pem(load_private_key(pem).public_key()))
    home.configure(f'[[publishers]]\nname = "acme"\nkeys = ["{home.path}/acme.key.pub"]\n')
    target = home.path / "umbrella.tar"
    make(
        target,
        [discover([home.plugins])[0][0]],
        load_private_key(pem),
        customer="Umbrella",
        tier="Free",
        now=created,
        expires=expires,
    )
    trust = read_trust(read_config(home.config))
    install(open_bundle(target, trust, now=created), home.plugins, trust, now=created)
    return target


def test_one_that_has_expired_is_neither_shown_nor_installed_nor_run(home: Home) -> None:
    told = home.write()
    file = bundled(home, created=NOW - 90, expires=NOW - 30)
    for command in ("show", "install"):
        refused = home.cli("bundle", command, file)
        assert isinstance(refused.exception, Invalid)
        assert "the signature has expired: it was good until" in str(refused.exception)
    done = home.km("monitor", "--", "echo", '{"jsonrpc":"2.0","method":"test"}')
    assert done.returncode == 0
    loaded, why = done.stderr.splitlines()
    assert loaded == "[PluginHandler] Loaded 0 plugins"
    assert why.startswith("[PluginHandler] ✗ watcher: it came in a bundle and the signature has e")
    assert why.endswith("; ask who made it for another")
    (row,) = json.loads(home.cli("plugins", "status", "-o", "json").stdout)
    assert row["state"] == "Refused"
    assert not told()


def test_one_that_expires_soon_is_warned_of(home: Home) -> None:
    home.write()
    bundled(home, created=NOW, expires=NOW + 2 * 86400 + 3600)
    lines = home.cli("plugins", "status").stdout.splitlines()
    assert lines[0] == "🔌 watcher v2.1.0 (Active, Free tier)"
    assert lines[1].startswith("   its signature expires in 2 days, at 20")
    assert lines[1].endswith("; then it is ended")
    doctor = json.loads(home.cli("doctor", "-o", "json").stdout)
    (plugin,) = [one for one in doctor if one["check"] == "plugin"]
    assert plugin["result"] == "warning"
    assert "expires in 2 days" in plugin["detail"]


def test_one_that_runs_is_warned_of_and_ended_at_its_expiry(home: Home) -> None:
    told = home.write()
    bundled(home, created=NOW, expires=NOW + 30 * 86400)
    clock = ShiftedClock()

    async def scenario() -> None:
        system = home.system(read_config(home.config), clock=clock)
        async with asyncio.timeout(100):
            await system.load()
            (status,) = system.statuses
            assert (status.state, status.warnings) == (State.ACTIVE, [])
            clock.ahead = 20 * 86400.0
            system.message(b"warned", "request", "c-1")
            await until(lambda: status.told == 1 and status.warnings)
            clock.ahead = 30 * 86400.0 + 1
            system.message(b"too late", "request", "c-2")
            await until(lambda: status.state is State.REFUSED)
            await system.close()

    asyncio.run(scenario())
    assert [one["data"] for one in told("message")] == ["warned"]
    assert told("shutdown")
    said = [line for line in home.lines if "debug:" not in line]
    assert [line.split(" at 20")[0] for line in said] == [
        "[PluginHandler] Loaded 1 plugins: ✓ watcher v2.1.0 (Free tier)\n",
        "[PluginHandler] ⚠ watcher: its signature expires in 9 days,",
        said[2],
    ]
    assert said[2].startswith("[PluginHandler] ✗ watcher is ended: it came in a bundle and the sig")


def test_a_newer_bundle_lets_it_run_on(home: Home) -> None:
    told = home.write()
    bundled(home, created=NOW, expires=NOW + 3600)
    clock = ShiftedClock()

    async def scenario() -> None:
        config = read_config(home.config)
        system = home.system(config, clock=clock)
        async with asyncio.timeout(100):
            await system.load()
            (status,) = system.statuses
            bundled(home, created=NOW, expires=NOW + 90 * 86400)
            clock.ahead = 7200.0
            system.message(b"later", "request", "c-1")
            await until(lambda: status.told == 1)
            assert (status.state, status.warnings) == (State.ACTIVE, [])
            await system.close()

    asyncio.run(scenario())
    assert len(told("initialize")) == 1
