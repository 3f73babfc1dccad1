"""A small real HTTP service to put behind the gateway: `python -m plugbay.demo`."""

from plugbay.demo._app import Demo as Demo
from plugbay.demo._server import serve as serve
