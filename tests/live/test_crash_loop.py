"""A version that kills its worker's process again and again is undone by itself."""

from __future__ import annotations

import h11
import pytest
from bench._gateway import Gateway, wait_for
from bench._live import get
from tests.live._plugins import push

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

DEADLY = """
import os
from plugbay.sdk import Plugin, Request, RequestFilter, Response, ResponseFilter

class Main(Plugin[None], RequestFilter, ResponseFilter):
    def on_request(self, request: Request) -> Response | None:
        if request.path == "/die" and "{version}" == "2.0.0":
            os._exit(9)
        return None

    def on_response(self, request: Request, response: Response) -> Response | None:
        response.headers.set("x-stamp", "{version}")
        return None
"""


def stamp(gateway: Gateway, target: str = "/json") -> str | None:
    """The version that answers; None if the worker is dead, or dies of it."""
    try:
        return get(gateway.address, target).headers.get("x-stamp")
    except (OSError, h11.RemoteProtocolError):
        return None


def test_a_version_that_kills_its_workers_is_rolled_back() -> None:
    manifest = 'provides = ["request-filter", "response-filter"]\n'
    with Gateway(workers=1) as gateway:
        push(gateway, "deadly", "1.0.0", DEADLY, manifest)
        push(gateway, "deadly", "2.0.0", DEADLY, manifest)
        gateway.put("deadly", version="1.0.0", watch=0.0)
        operation = gateway.put("deadly", version="2.0.0", watch=90.0)
        assert stamp(gateway) == "2.0.0"
        wait_for("the rollback", lambda: stamp(gateway, "/die") == "1.0.0", every=0.2)
        ended = gateway.operation(operation["id"], lambda o: o["state"] == "rolled_back")
        assert "3 workers died" in ended["receipt"]["why"]
