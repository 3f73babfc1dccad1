"""Whatever is uploaded, the answer is no server error and nothing is left that was not taken.

`make fuzz` sends a thousand of them to a whole gateway.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.upload_mutants import mutants

from plugbay.admin import AdminOptions
from plugbay.kernel import ArtifactState

from .conftest import V1

if TYPE_CHECKING:
    from .conftest import World

SEED, COUNT = 20261121, 200


@pytest.fixture
def options() -> AdminOptions:
    return AdminOptions(requests_per_minute=100_000, uploads_per_minute=100_000, max_upload=8 << 20)


def test_damaged_uploads(world: World) -> None:
    headers, statuses = world.token(), Counter[int]()
    for mutant in mutants(COUNT, SEED):
        said = [(k.encode(), v.encode("latin-1")) for k, v in (headers | mutant.headers).items()]
        answer = world.client.post(
            f"{V1}/artifacts", params=mutant.query, headers=said, content=mutant.body
        )
        statuses[answer.status_code] += 1
        assert answer.status_code < 500, f"{mutant.what}: {answer.text}"
        if answer.status_code == 201:  # so that the next may be this version
            world.ask("DELETE", f"/artifacts/{answer.json()['digest']}").raise_for_status()
        else:
            assert answer.headers["content-type"] == "application/problem+json", mutant.what
    assert {201, 400, 422} <= statuses.keys(), statuses
    assert not list((world.path / "tmp").iterdir())
    assert not [path for path in (world.path / "blobs").rglob("*") if path.is_file()]
    assert not list((world.path / "unpacked").iterdir())
    assert world.artifacts.list(state=ArtifactState.UPLOADED) == []
    assert world.upload(id="sound")
