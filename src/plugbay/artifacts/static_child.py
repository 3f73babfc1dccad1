"""The child process of the layer `static`: a question on standard input, findings on output.

Python's own parser can be brought to exhaust memory or stack by crafted source, and holds the
interpreter's lock while it works: so it works here and not in the supervisor.
"""

import os
import sys
import types


def main() -> None:
    """Answer one question."""
    # The package as a whole reads signatures and binaries, and takes its time to load.
    package = types.ModuleType("plugbay.artifacts")
    package.__path__ = [os.path.dirname(__file__)]
    sys.modules.setdefault("plugbay.artifacts", package)
    from plugbay.artifacts._static_work import answer

    answer()


if __name__ == "__main__":
    main()
