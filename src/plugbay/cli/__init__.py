"""The command line."""

import sys


def main() -> None:
    """Run the command that the arguments name."""
    _wrap_monitor("plugbay")
    # Imported here, so that `import plugbay.cli` costs nothing to who needs a part of it only.
    from plugbay.cli._root import run

    run()


def km() -> None:
    """The same for the command `km`."""
    _wrap_monitor("km")
    from plugbay.cli._root import run_km

    run_km()


def _wrap_monitor(program: str) -> None:
    if sys.argv[1:2] == ["monitor"]:
        from plugbay.cli._wrap import wrap

        wrap(sys.argv[2:], program)
