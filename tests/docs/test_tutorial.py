"""Every command of the tutorial and of the README does what the page says."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def test_the_tutorial(root, gateway, run_page, tmp_path):
    said = run_page(root / "docs/tutorial/first-plugin.md", gateway, tmp_path)
    greetings = re.findall(r"x-my-filter: (.+?)\r?\n", said)
    assert greetings == ["hello", "good day", "hello again"]
    assert "my-filter: 0.1.0 → 0.2.0" in said
    assert set(re.findall(r"dropped: (\d+)", said)) == {"0"}
    assert re.search(r'statuses +\{"200": \d+\}', said)
    assert re.search(r"lost +0\b", said)


def test_the_readme(root, gateway, run_page):
    said = run_page(root / "README.md", gateway, root)
    assert "200 OK" in said
    assert re.search(r"operation op-\d+  reload  succeeded", said)
    assert set(re.findall(r"dropped: (\d+)", said)) == {"0"}
    assert re.search(r'statuses +\{"200": \d+\}', said)


def test_the_readme_shows_the_example_as_it_is_and_fits_a_screen(root):
    text = (root / "README.md").read_text()
    found = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found
    for name, code in found:
        assert (root / name).read_text() == code
    assert len(text.splitlines()) <= 75
