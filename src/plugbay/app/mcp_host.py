"""`python -m plugbay.app.mcp_host OPTIONS`: what the supervisor starts; not for people."""

import sys

import uvloop

from plugbay.app.mcp._host import main

if __name__ == "__main__":
    main(sys.argv[1], uvloop.run)
