"""Of whom an administrator's operation is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plugbay.sdk._operations import OperationRefused
from plugbay.sdk.protection._identity import address_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST: Final = 256


def asked(arguments: Mapping[str, Any], *names: str) -> str:
    """Return the first argument of these names that is there. Raises `OperationRefused`."""
    found = next((arguments[name] for name in names if arguments.get(name)), None)
    if not isinstance(found, str) or len(found) > LONGEST:
        raise OperationRefused(f"say whom: {', or '.join(names)}")
    return found


def asked_identity(arguments: Mapping[str, Any]) -> str:
    """Return the identity that `identity`, or `ip`, names. Raises `OperationRefused`."""
    return address_identity(asked(arguments, "identity", "ip"))
