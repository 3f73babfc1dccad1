"""The manifest that comes with an upload whose bytes carry none."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

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

    def document(self) -> dict[str, Any]:
        """Return it as plain data. Raises `ValueError` if it cannot be read."""
        if self.form == "json":
            return msgspec.json.decode(self.text, type=dict[str, Any])
        try:
            return tomllib.loads(self.text)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error

    def same(self, other: Declaration | None) -> bool:
        """Whether both say the same, however they are written."""
        if other is None:
            return False
        try:
            return self == other or self.document() == other.document()
        except ValueError:
            return False

    @property
    def chooses_runtime(self) -> bool:
        """Whether it is no manifest, and only says where a wheel is to run."""
        try:
            return self.document().keys() == {"runtime"}
        except ValueError:
            return False

    @property
    def runtime(self) -> str:
        """The runtime it names; empty if it names none, or cannot be read."""
        try:
            return str(self.document().get("runtime", ""))
        except ValueError:
            return ""
