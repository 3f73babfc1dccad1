"""`python -m plugbay.demo --port 0` serves until it is told to stop, and prints its address."""

from __future__ import annotations

import argparse

from plugbay.demo._server import serve


def main() -> None:
    """Run the sample upstream."""
    parser = argparse.ArgumentParser(prog="python -m plugbay.demo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free port")
    options = parser.parse_args()
    serve(options.host, options.port)


if __name__ == "__main__":
    main()
