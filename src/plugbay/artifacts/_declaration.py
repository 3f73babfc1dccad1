"""The manifest that comes with an upload whose bytes carry none."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from plugbay.kernel import TooLarge

if TYPE_CHECKING:
    from plugbay.sdk import Manifest

LARGEST = 1 << 16
_LONGEST_ID = 64


def plugin_id(name: str) -> str:
    """Return the id that a name for people becomes; empty if it has no letter or digit."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if plain and not plain[0].isalpha():
        plain = f"plugin-{plain}"
    return plain[:_LONGEST_ID].rstrip("-")


@dataclass(frozen=True, slots=True)
class Declaration:
    """The text of a `plugbay.toml`, or the same as JSON; not yet known to make sense.

    `config` is a configuration to try it with in place of the manifest's own: it says nothing of
    what the artifact is.
    """

    text: str
    form: Literal["toml", "json"] = "toml"
    config: dict[str, Any] | None = None

    @classmethod
    def read(cls, raw: bytes) -> Declaration:
        """Take the bytes of a `plugbay.toml`. Raises `TooLarge`.

        Whether they are TOML is for the layer `manifest` to say, with everything else.
        """
        if len(raw) > LARGEST:
            raise TooLarge(f"a manifest has {LARGEST} bytes at most, this one {len(raw)}")
        return cls(raw.decode("utf-8", "replace"))

    @classmethod
    def of(cls, manifest: Manifest, config: dict[str, Any] | None = None) -> Declaration:
        """Declare a manifest that was made and not written."""
        return cls(msgspec.json.encode(manifest).decode(), "json", config)

    @classmethod
    def nothing_but(cls, config: dict[str, Any]) -> Declaration:
        """Declare nothing of what the artifact is, only what it is tried with."""
        return cls("{}", "json", config)

    def document(self) -> dict[str, Any]:
        """Return it as plain data. Raises `ValueError` if it cannot be read."""
        if self.form == "json":
            return msgspec.json.decode(self.text, type=dict[str, Any])
        try:
            return tomllib.loads(self.text)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error

    def same(self, other: Declaration | None) -> bool:
        """Whether both say the same of what the artifact is, however they are written; what says
        nothing of it says nothing else."""
        if self.empty:
            return True
        if other is None:
            return self.suits_wheel and not self.runtime
        try:
            if self.suits_wheel and other.suits_wheel:
                return self.runtime == other.runtime
            return self == other or self.document() == other.document()
        except ValueError:
            return False

    @property
    def empty(self) -> bool:
        """Whether it says nothing of what the artifact is: only a configuration came."""
        return self.form == "json" and self.text == "{}"

    @property
    def suits_wheel(self) -> bool:
        """Whether it is no manifest, and only says where a wheel is to run and what it is tried
        with."""
        try:
            found = self.document()
        except ValueError:
            return False
        return (self.empty or bool(found)) and found.keys() <= {"runtime", "config"}

    @property
    def tried_with(self) -> dict[str, Any] | None:
        """The configuration for the trial; None: the manifest's own."""
        if self.config is not None or not self.suits_wheel:
            return self.config
        found: object = self.document().get("config")
        return cast("dict[str, Any]", found) if isinstance(found, dict) else None

    @property
    def runtime(self) -> str:
        """The runtime it names; empty if it names none, or cannot be read."""
        try:
            return str(self.document().get("runtime", ""))
        except ValueError:
            return ""
