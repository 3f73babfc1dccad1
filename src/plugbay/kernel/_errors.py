"""Every error that Plugbay raises on purpose, as one tree.

    PlugbayError
    ├─ NotFound                404  no such plugin, artifact, route, operation …
    ├─ Conflict                409  the thing is not in a state that allows it
    │  └─ IllegalTransition         a state machine was asked for a move it does not have
    ├─ PreconditionFailed      412  If-Match names another version than the current one
    ├─ PreconditionRequired    428  If-Match is missing
    ├─ Invalid                 422  the input is wrong; `problems` says where
    │  ├─ ArtifactRejected          a validation layer refused the bytes
    │  └─ DependencyProblem         missing, incompatible or circular requirements
    ├─ Malformed               400  the input cannot be read at all
    ├─ Unauthenticated         401
    ├─ Forbidden               403
    ├─ TooLarge                413
    ├─ TooManyRequests         429
    ├─ Unavailable             503  a part that is needed cannot answer now
    └─ PluginError             502  the plugin is to blame: `plugin`, `generation`
       ├─ LoadFailed                import, entry, signature or configuration
       ├─ StartFailed               `start` raised or was late
       ├─ RestoreFailed             `snapshot` or `restore` raised
       ├─ Unhealthy                 `health` raised or was late
       └─ HookFailed                a hook raised or was late

They become RFC 9457 problem details in one place, `plugbay.admin`, and one line in the CLI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (a JSON Pointer, RFC 6901, or a layer's name) and what.

    `expected` and `found` say the difference, `remedy` what to do.
    """

    pointer: str
    detail: str
    expected: str = ""
    found: str = ""
    remedy: str = ""


class PlugbayError(Exception):
    """The root. `code` is stable and names the documentation page of the problem."""

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong inside Plugbay"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = problems


class NotFound(PlugbayError):
    """No such thing."""

    code, title, status = "not-found", "Not found", 404


class Conflict(PlugbayError):
    """The thing is not in a state that allows this."""

    code, title, status = "conflict", "Conflict with the current state", 409


class IllegalTransition(Conflict):
    """A state machine was asked for a move that its table does not have."""

    code = "illegal-transition"

    def __init__(self, what: str, old: str, new: str) -> None:
        super().__init__(f"{what} cannot go from {old} to {new}")
        self.old, self.new = old, new


class PreconditionFailed(PlugbayError):
    """If-Match names another version than the current one (RFC 9110, 13.1.1)."""

    code, title, status = "precondition-failed", "It was changed by somebody else", 412


class PreconditionRequired(PlugbayError):
    """If-Match is missing (RFC 6585, section 3)."""

    code, title, status = "precondition-required", "If-Match is required", 428


class Invalid(PlugbayError):
    """The input is understood and wrong."""

    code, title, status = "invalid", "The input is not valid", 422


class ArtifactRejected(Invalid):
    """A validation layer refused the artifact."""

    code, title = "artifact-rejected", "The artifact was rejected"


class DependencyProblem(Invalid):
    """Requirements are missing, incompatible or circular."""

    code, title = "dependency-problem", "The plugin's requirements are not met"


class Malformed(PlugbayError):
    """The input cannot be read at all."""

    code, title, status = "malformed", "The request cannot be read", 400


class Unauthenticated(PlugbayError):
    """Nobody is signed in."""

    code, title, status = "unauthenticated", "Sign in first", 401


class Forbidden(PlugbayError):
    """Whoever is signed in may not do this."""

    code, title, status = "forbidden", "Not allowed", 403


class TooLarge(PlugbayError):
    """More bytes than the limit."""

    code, title, status = "too-large", "Too large", 413


class TooManyRequests(PlugbayError):
    """More requests than the limit; `retry_after` is in seconds."""

    code, title, status = "too-many-requests", "Too many requests", 429

    def __init__(self, detail: str, *, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(PlugbayError):
    """A part that is needed cannot answer now."""

    code, title, status = "unavailable", "Not available now", 503


class ExtraMissing(Unavailable):
    """A feature was switched on whose optional extra is not installed."""

    code, title = "extra-missing", "An optional extra is not installed"

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs `plugbay[{extra}]`: pip install 'plugbay[{extra}]'")
        self.extra = extra


class PluginError(PlugbayError):
    """The plugin is to blame."""

    code, title, status = "plugin-error", "The plugin failed", 502

    def __init__(
        self, plugin: str, detail: str, *, generation: int = 0, problems: tuple[Problem, ...] = ()
    ) -> None:
        super().__init__(f"{plugin}: {detail}", problems=problems)
        self.plugin, self.generation, self.reason = plugin, generation, detail


class LoadFailed(PluginError):
    """Import, entry point, hook signature or configuration."""

    code, title = "load-failed", "The plugin could not be loaded"


class StartFailed(PluginError):
    """`start` raised or was late."""

    code, title = "start-failed", "The plugin could not be started"


class RestoreFailed(PluginError):
    """`snapshot` or `restore` raised or was late."""

    code, title = "restore-failed", "The plugin could not hand over its state"


class Unhealthy(PluginError):
    """`health` raised or was late."""

    code, title = "unhealthy", "The plugin is not healthy"


class HookFailed(PluginError):
    """A hook raised or was late."""

    code, title = "hook-failed", "The plugin failed on a request"
