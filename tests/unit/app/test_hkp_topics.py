"""Events have the HKP gateway's names too."""

from __future__ import annotations

import pytest

from plugbay.app._hkp_topics import also_called


@pytest.mark.parametrize(
    ("topic", "data", "names"),
    [
        ("ratelimit.violation", {}, ("security.ratelimit.triggered",)),
        ("ml.traffic_anomaly", {}, ("ratelimit.ml.anomaly", "security.anomaly.detected")),
        ("protection.lift", {"identity": "192.0.2.1"}, ("protection.ban.lifted",)),
        ("protection.verdict", {"action": "tarpit"}, ()),
        ("protection.verdict", {"action": "ban", "reason": "travel"}, ("protection.ban.added",)),
        (
            "protection.verdict",
            {"action": "ban", "reason": "rate"},
            ("protection.ban.added", "ratelimit.threshold.hit"),
        ),
        ("news.one", {}, ()),
    ],
)
def test_a_topic_is_also_called(
    topic: str, data: dict[str, object], names: tuple[str, ...]
) -> None:
    assert also_called(topic, data) == names
