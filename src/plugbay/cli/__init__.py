"""The command line."""


def main() -> None:
    """Run the command that the arguments name."""
    raise SystemExit("plugbay: no command is built yet")
