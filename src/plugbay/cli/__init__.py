"""The command line."""

import sys


def main() -> None:
    """Run the command that the arguments name."""
    if sys.argv[1:2] == ["monitor"]:
        from plugbay.cli._wrap import wrap

        wrap(sys.argv[2:])
    # Imported here, so that `import plugbay.cli` costs nothing to who needs a part of it only.
    from plugbay.cli._root import run

    run()
