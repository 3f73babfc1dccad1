"""Becomes a plugin's process: `<environment>/bin/python -I -B main.py <order>`.

The interpreter is that of the plugin's own environment, in which there is nothing of the gateway.
What this program needs of it is lent by a finder: `plugbay`, which the plugin's `plugbay.sdk` is,
and a few packages that are used only if the environment has none of that name. Nothing is imported
before that but what is always there. The order is JSON: what is lent and from where, the
directory of the wheel, and its manifest.
"""

import importlib.machinery
import json
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Lent:
    """Finds top-level packages in the gateway's directories."""

    def __init__(self, places: "Mapping[str, str]") -> None:
        self._places = places

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: object = None
    ) -> "importlib.machinery.ModuleSpec | None":
        """Return where a package is, if it is one of them."""
        place = self._places.get(name) if path is None else None
        return None if place is None else importlib.machinery.PathFinder.find_spec(name, [place])


def prepare(own: "Mapping[str, str]", lent: "Mapping[str, str]", payload: str) -> None:
    """Make the packages known, and the wheel's own modules, behind all others."""
    sys.meta_path.insert(0, Lent(own))  # nobody replaces these
    sys.meta_path.append(Lent(lent))
    sys.path.append(payload)
    # The gateway's side of the runtimes is not wanted here, and takes its time to load.
    runtimes = types.ModuleType("plugbay.runtimes")
    runtimes.__path__ = [f"{own['plugbay']}/plugbay/runtimes"]
    sys.modules["plugbay.runtimes"] = runtimes


def main() -> None:
    """Serve the plugin until the gateway closes the connection."""
    order = json.loads(sys.argv[1])
    prepare(order["own"], order["lent"], order["payload"])
    from plugbay.runtimes.wheelhost._serve import serve

    serve(order["payload"], order["manifest"])


if __name__ == "__main__":
    main()
