"""The configuration of the km system: `~/.plugbay/km.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from plugbay.isolation import Isolation  # noqa: TC001 - for msgspec, too
from plugbay.kernel import Invalid, convert

FILE = Path("~/.plugbay/km.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherConfig:
    """Somebody whose signatures count: paths of public keys, or of roots of certificates."""

    name: str
    keys: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    """What each plugin's process may use; 0 is no limit.

    `readable` and `writable` are files and directories, beside the system's libraries and its own
    temporary directory. What this host cannot guard is refused, said, or not guarded at all.
    """

    memory_mb: int = 256
    open_files: int = 256
    cpu_seconds: int = 0
    processes: int = 128
    network: bool = False
    isolation: Isolation = "prefer"
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginConfig:
    """What is different for one plugin."""

    enabled: bool = True
    network: bool | None = None
    memory_mb: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KmConfig:
    """All of it. `working_directory`: whether `./plugins` is looked into without a signature.

    `signatures` is what is done without a good one: nothing, a warning, or no start.
    """

    enabled: bool = True
    signatures: Literal["off", "warn", "enforce"] = "off"
    api_endpoint: str = ""
    working_directory: bool = False
    publishers: tuple[PublisherConfig, ...] = ()
    revoked: tuple[str, ...] = ()
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    plugins: dict[str, PluginConfig] = field(default_factory=dict[str, PluginConfig])

    def plugin(self, name: str) -> PluginConfig:
        """Return what is said of a plugin."""
        return self.plugins.get(name, PluginConfig())


def read_config(path: Path = FILE) -> KmConfig:
    """Read the file; without one everything is as by default. Raises `Invalid`."""
    path = path.expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return KmConfig()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}") from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path}: not valid TOML: {error}") from error
    return convert(raw, KmConfig, what=str(path))
