"""`python -m plugbay.app.worker OPTIONS`: what the supervisor starts; not for people."""

import sys

import uvloop

from plugbay.app._worker import main

if __name__ == "__main__":
    main(sys.argv[1], uvloop.run)
