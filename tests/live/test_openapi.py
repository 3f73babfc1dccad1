"""The OpenAPI document and a whole gateway: what it describes is what is answered.

`make fuzz` sends more cases; see `bench/api_fuzz.py`.
"""

from __future__ import annotations

import pytest
from bench._gateway import Gateway
from bench.api_fuzz import SEED, prepare
from tests.api_conformance import call_all, call_as_nobody, operations

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def test_every_operation_answers_as_the_document_says() -> None:
    with Gateway() as gateway:
        document = gateway.client.call("GET", "/openapi.json").json
        target = prepare(gateway)
        nobody = call_as_nobody(target, document)
        assert nobody.wrong == []
        assert len(nobody.statuses) > 100
        outcome = call_all(target, document, examples=1, number=SEED)
    assert outcome.wrong == [], "\n".join(outcome.wrong)
    assert len(outcome.statuses) == len(operations(document))
    reached = sum(min(statuses) < 300 for statuses in outcome.statuses.values())
    assert reached > 30
