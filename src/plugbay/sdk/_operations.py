"""What administrators may ask of a running plugin: named operations with plain JSON both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping


class OperationRefused(ValueError):
    """The arguments of an operation are wrong; the message is told to who asked."""


@dataclass(frozen=True, slots=True)
class AdminOperation:
    """One operation: its name (`[a-z][a-z0-9-]*`), and a sentence for people.

    One that `changes` something is asked by POST, needs the permission to change plugins, and is
    audited; the others are asked by GET and need the permission to read.
    """

    name: str
    summary: str
    changes: bool = False


class AdminOperations:
    """Answers administrators at `/admin/api/v1/plugins/{id}/operations/{name}`.

    Every worker is asked and each one's answer is returned, so an operation must do no harm when
    it is carried out in several workers at once.
    """

    operations: ClassVar[tuple[AdminOperation, ...]] = ()
    """What may be asked; anything else is not found."""

    def on_operation(
        self, name: str, arguments: Mapping[str, Any]
    ) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]:
        """Carry out the operation `name` and return what JSON can say.

        Raise `OperationRefused` for arguments that are wrong.
        """
        raise NotImplementedError
