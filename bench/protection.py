"""What the protection plugins cost: microseconds, memory, exactness, and held connections.

`python -m bench.protection [part ...]`; `PARTS` below has their names. The threat data is read from
the directory in PLUGBAY_THREAT_DATA if it is set, else made up. PLUGBAY_GEO_DATABASES names
databases, separated by colons, instead of the small ones of the tests.
"""

from __future__ import annotations

import json
import os
import sys

from bench._protection import _drips, _feeds, _limits, _models, _people

PARTS = {
    "hits": _limits.hits,
    "places": _people.places,
    "sessions": _people.signed_in,
    "shared": _limits.exactness,
    "lookups": _feeds.lookups,
    "models": _models.models,
    "clients": _limits.clients,
    "indicators": _feeds.indicators,
    "building": _feeds.building,
    "held": _drips.held,
}


def main() -> None:
    """Run the parts that are named, else all."""
    print(json.dumps({"load": os.getloadavg(), "cores": os.cpu_count()}))
    for name in sys.argv[1:] or PARTS:
        print(f"== {name}")
        PARTS[name]()


if __name__ == "__main__":
    main()
