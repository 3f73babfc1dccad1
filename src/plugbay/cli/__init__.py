"""The command line."""


def main() -> None:
    """Run the command that the arguments name."""
    # Imported here, so that `import plugbay.cli` costs nothing to who needs a part of it only.
    from plugbay.cli._root import run

    run()
