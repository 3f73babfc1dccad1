import asyncio

import pytest

from plugbay.sdk import (
    PHASES,
    BodyFilter,
    Event,
    EventHandler,
    Limits,
    Manifest,
    Observer,
    Order,
    Permissions,
    Plugin,
    Request,
    RequestFilter,
    Response,
    ResponseFilter,
    Stateful,
    Timing,
)
from plugbay.sdk.testing import FakeHost


def test_a_plugin_needs_to_define_nothing():
    async def scenario():
        plugin = Plugin("config", host := FakeHost())
        assert (plugin.config, plugin.host) == ("config", host)
        await plugin.start()
        await plugin.health()
        await plugin.stop()

    asyncio.run(scenario())


def test_a_capability_without_its_hook_says_so():
    request, response = Request("GET", "/"), Response()
    timing = Timing(1.0, 0.5, 0.1, 0, 0, "passed")
    for call in (
        lambda: RequestFilter().on_request(request),
        lambda: ResponseFilter().on_response(request, response),
        lambda: Observer().on_complete(request, response, timing),
        lambda: EventHandler().on_event(Event("a", "b", 0.0)),
        lambda: Stateful().snapshot(),
        lambda: Stateful().restore(b""),
    ):
        with pytest.raises(NotImplementedError):
            call()


def test_a_body_filter_lets_bodies_pass():
    chunks = iter(())
    assert BodyFilter().request_body(Request("GET", "/"), chunks) is chunks
    assert BodyFilter().response_body(Request("GET", "/"), Response(), chunks) is chunks


def test_the_manifest_s_defaults():
    manifest = Manifest(id="a", version="1", api=1, runtime="python", entry="a:B")
    assert (manifest.reload, manifest.on_error) == ("overlap", "default")
    assert manifest.order == Order(phase="post-routing", priority=500)
    assert manifest.order.phase in PHASES
    assert manifest.limits == Limits(memory_mb=64, request_ms=1000, start_ms=10_000)
    assert manifest.permissions == Permissions()
    assert manifest.requires == {}
    with pytest.raises(AttributeError):
        manifest.id = "b"


def test_an_event_has_data_of_its_own():
    assert Event("a", "b", 1.0).data == {}
