"""What names become, one way for uploads and for what another gateway has stored."""

from __future__ import annotations

import pytest

from plugbay.artifacts import Stranger, plugin_id
from plugbay.artifacts._upkeep import manifest_of


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("jwt", "jwt"),
        ("Request_Logger v2", "request-logger-v2"),
        ("my.plugin", "my-plugin"),
        ("2fa", "plugin-2fa"),
        ("x" * 80, "x" * 64),
        ("...", ""),
    ],
)
def test_a_name_becomes_an_id(name: str, id: str) -> None:
    assert plugin_id(name) == id
    assert manifest_of(Stranger(digest="ab" * 32, filename="x.so", name=name, version="1")).id == id
