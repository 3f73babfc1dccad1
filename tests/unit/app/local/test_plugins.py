"""Finding plugins without a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugbay.app.local._plugins import BUNDLED, find_plugin
from plugbay.kernel import NotFound

if TYPE_CHECKING:
    from pathlib import Path


def test_a_name_is_no_folder_of_where_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pins", "my-filter", "x.whl"):
        (tmp_path / name).mkdir()
    assert find_plugin("pins") == BUNDLED / "pins"
    assert find_plugin("./pins") == tmp_path / "pins"
    assert find_plugin(str(tmp_path / "my-filter")) == tmp_path / "my-filter"
    assert find_plugin("x.whl") == tmp_path / "x.whl"
    with pytest.raises(NotFound, match=r"known: .*pins.*; the folder here is \./my-filter"):
        find_plugin("my-filter")
    with pytest.raises(NotFound, match=r"tool-policy$"):
        find_plugin("nothing")
