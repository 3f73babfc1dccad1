"""The key of trace permits stays the same, and only its owner reads it."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import pytest

from plugbay.app._trace_key import SIZE, RevokedTraces, make_trace_key, read_trace_key
from plugbay.app.check import check_extras
from plugbay.kernel import ExtraMissing
from plugbay.settings import Settings, TraceSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_made_once(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert read_trace_key(tmp_path) == b""
    key = make_trace_key(tmp_path)
    assert len(key) == SIZE
    assert make_trace_key(tmp_path) == read_trace_key(tmp_path) == key
    file = tmp_path / "run" / "trace.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(key[:3])
    assert read_trace_key(tmp_path) == b""
    assert make_trace_key(tmp_path) != key


def test_a_list_of_revoked_keys_is_seen_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    ours, workers = RevokedTraces(tmp_path), RevokedTraces(tmp_path)
    assert "a1" not in workers
    ours.write(["a1"])
    assert "a1" in workers
    assert "b2" not in workers
    ours.write(["b2"])
    assert ("a1" in workers, "b2" in workers) == (False, True)
    (tmp_path / "run" / "trace-revoked.json").write_bytes(b"{")
    assert "anything" in workers


def test_the_extra_is_asked_for_only_if_traces_go_somewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    check_extras(Settings())
    endpoint = TraceSettings(endpoint="http://127.0.0.1:1/v1/traces")
    with pytest.raises(ExtraMissing, match=r"plugbay\[otel\]"):
        check_extras(Settings(tracing=endpoint))
