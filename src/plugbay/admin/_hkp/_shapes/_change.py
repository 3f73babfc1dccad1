"""Configurations, and what comes of a change."""

# No postponed annotations here: msgspec and Litestar read them, so they must be real.

from typing import Any, Literal

from plugbay.admin._hkp._shapes._shape import Shape
from plugbay.kernel import Difference


class ConfigEntry(Shape, frozen=True, kw_only=True):
    """An earlier configuration; its content is in `/admin/api/v1`."""

    version: int
    timestamp: str
    author: str
    comment: str


class PluginConfig(Shape, frozen=True, kw_only=True):
    """The configuration in force, its JSON Schema, and the versions, the newest first.

    Secrets are references and stay so."""

    plugin: str
    config: dict[str, Any]
    timestamp: str
    version: int
    config_schema: dict[str, Any] | None
    versions: list[ConfigEntry]


class Done(Shape, frozen=True, kw_only=True):
    """What was done. A `warning`: it was not needed, or it goes on still."""

    plugin: str
    status: Literal["success", "warning", "error"]
    message: str
    timestamp: str
    operation: str = ""
    config_version: int = 0


class Validated(Shape, frozen=True, kw_only=True):
    """A configuration that fits, and how it differs from the one in force."""

    plugin: str
    status: Literal["success"]
    message: str
    timestamp: str
    valid: bool
    differences: list[Difference]


class HkpConfig(Shape, frozen=True, kw_only=True):
    """A configuration. It may also be sent by itself, without this object around it."""

    config: dict[str, Any]
    comment: str = ""


class HkpRollback(Shape, frozen=True, kw_only=True):
    """Which version of the configuration to go back to; 0: the one before."""

    version: int = 0
    comment: str = ""


class HkpFinding(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong with what was sent."""

    detail: str
    pointer: str = ""
    expected: str = ""
    found: str = ""
    remedy: str = ""


class HkpError(Shape, frozen=True, kw_only=True):
    """An error. `message` says all; `errors` says it in parts."""

    plugin: str
    status: Literal["error"] = "error"
    message: str
    timestamp: str
    errors: tuple[HkpFinding, ...] = ()
    request_id: str = ""
