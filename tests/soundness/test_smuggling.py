"""No request is read by the upstream other than the client and the gateway meant it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.soundness.client import ask, connected, get
from tests.soundness.vectors_bodies import BODIES
from tests.soundness.vectors_heads import HEADS

if TYPE_CHECKING:
    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Upstream
    from tests.soundness.vectors import Vector

pytestmark = pytest.mark.live

ALL = [*BODIES, *HEADS]


@pytest.mark.parametrize("pieces", ["whole", "bytes"])
@pytest.mark.parametrize("vector", ALL, ids=repr)
def test_a_vector(gateway: Gateway, upstream: Upstream, vector: Vector, pieces: str) -> None:
    before = len(upstream.requests)
    with connected(gateway.port) as client:
        send(client.send, vector.data, pieces)
        for method, _, _ in vector.passed:
            answer = client.answer(method)
            assert answer is not None
            assert answer.status == 200
        if not vector.passed:
            answer = client.answer()
            assert answer is not None, "closed without an answer"
            assert answer.status in vector.statuses
            assert client.ended()
        elif vector.ends:
            last = client.answer()
            assert last is None or last.status in (400, 505)
    # What was left over somewhere would now come out: in front of this request, or instead of it.
    after = ask(gateway.port, get(b"/after"))
    assert after is not None
    assert after.status == 200
    arrived = tuple(request.message for request in upstream.requests[before:])
    assert arrived == (*vector.passed, (b"GET", b"/after", b""))
    assert upstream.refused == []


def send(write: object, data: bytes, pieces: str) -> None:
    """Send in one segment, or as the parser likes it least."""
    assert callable(write)
    if pieces == "whole":
        write(data)
        return
    for at in range(len(data)):
        if not write(data[at : at + 1]):
            return


def test_no_refusal_leaves_a_connection_behind(gateway: Gateway, upstream: Upstream) -> None:
    for vector in ALL[::5]:
        with connected(gateway.port) as client:
            client.send(vector.data)
            client.answer()
    gateway.settle()
    assert upstream.open_links() <= gateway.max_spare
