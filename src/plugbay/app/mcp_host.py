"""`python -m plugbay.app.mcp_host OPTIONS`: what the supervisor starts; not for people."""

import sys

import uvloop

from plugbay.app._mcp_host import main

if __name__ == "__main__":
    main(sys.argv[1], uvloop.run)
