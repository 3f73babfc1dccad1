"""Configurations refer to secrets and variables; they are filled in where the plugin is loaded."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from plugbay.app._secrets import SecretFiles, environment
from plugbay.kernel import LoadFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plugbay.kernel import Instance, LoadRequest, Runtime

REFERENCE = re.compile(r"\$\{(secret|env):([A-Za-z0-9._-]+)\}")


class References:
    """Fills in references, read anew each time, so that a rotated secret is seen."""

    def __init__(self, secrets: Path) -> None:
        self._secrets = secrets

    def fill(self, value: object) -> object:
        """Return `value` with every reference filled in. Raises `KeyError` for what nobody has
        set."""
        if isinstance(value, str):
            return REFERENCE.sub(self._look_up, value)
        if isinstance(value, dict):
            return {k: self.fill(v) for k, v in cast("dict[str, object]", value).items()}
        if isinstance(value, list):
            return [self.fill(one) for one in cast("list[object]", value)]
        return value

    def _look_up(self, match: re.Match[str]) -> str:
        kind, name = match.groups()
        if kind == "secret":
            return SecretFiles(self._secrets, environment(), [name]).get(name)
        if name not in environment():
            raise KeyError(f"no environment variable {name}")
        return environment()[name]


class Resolving:
    """A runtime that gets configurations with every `${secret:…}` and `${env:…}` filled in.

    The operator's reference is a grant: unlike `Host.secrets` it needs no permission of the
    manifest. What was filled in is known to the plugin only, not to the supervisor or its store.
    """

    def __init__(self, runtime: Runtime, data: Path) -> None:
        self._runtime, self._references = runtime, References(data / "secrets")

    async def load(self, request: LoadRequest) -> Instance:
        """Load by the runtime beneath. Raises `LoadFailed`, also for what nobody has set."""
        try:
            config = cast("Mapping[str, Any]", self._references.fill(request.config))
        except KeyError as error:
            raise LoadFailed(
                request.manifest.id,
                f"its configuration refers to what is not there: {error.args[0]}",
                generation=request.generation,
            ) from None
        return await self._runtime.load(replace(request, config=config))
