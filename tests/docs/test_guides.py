"""The administrators' guide does what it says, command by command."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def test_the_guide_for_administrators(root, gateway, run_page, tmp_path):
    (tmp_path / "plugins").symlink_to(root / "plugins")
    said = run_page(root / "docs/howto/administer.md", gateway, tmp_path)
    assert '"overall_status": "healthy"' in said
    assert "rolled back to version 1" in said
    assert '"pointer":"/limit","expected":"type integer","found":"\'many\'"' in said
    assert "Plugin stopped successfully" in said
    assert "flowchart LR" in said
