"""One spelling for a path."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugbay.gateway.message._paths import is_plain, normal_target


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/a",
        b"/a/",
        b"/a/b.c/d",
        b"/a?x=1&y=%2F..%00/../",
        b"/@scope/name;v=1",
        b"/a?",
        b"/.well-known/acme",
        b"/...",
        b"/a%20b",
        b"/caf%C3%A9",
        b"/a|b[0]{c}",
    ],
)
def test_a_normal_target_is_returned_as_it_is(target: bytes) -> None:
    assert normal_target(target) == target


@pytest.mark.parametrize(
    ("target", "normal"),
    [
        # RFC 3986, 5.2.4
        (b"/a/b/c/./../../g", b"/a/g"),
        (b"/mid/content=5/../6", b"/mid/6"),
        (b"/../a", b"/a"),
        (b"/..", b"/"),
        (b"/.", b"/"),
        (b"/a/..", b"/"),
        (b"/a/b/..", b"/a/"),
        (b"/a/.", b"/a/"),
        (b"/a/%2e%2E/b", b"/b"),
        (b"/a/.%2e/b?q=%2e%2e/", b"/b?q=%2e%2e/"),
        # RFC 3986, 6.2.2
        (b"/%61dmin", b"/admin"),
        (b"/%7euser", b"/~user"),
        (b"/caf%c3%a9", b"/caf%C3%A9"),
        # empty segments
        (b"//admin", b"/admin"),
        (b"/a//b///", b"/a/b/"),
        (b"///", b"/"),
        (b"//evil.example/..", b"/"),
    ],
)
def test_other_spellings_become_normal(target: bytes, normal: bytes) -> None:
    assert normal_target(target) == normal


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"a",
        b"?x",
        b"*",
        b"http://h/",
        b"/a%2fb",
        b"/a%2Fb",
        b"/..%2fadmin",
        b"/a%5cb",
        b"/a\\b",
        b"/a%00",
        b"/a%0d%0a",
        b"/a%7f",
        b"/a b",
        b"/a\tb",
        b"/a\x00",
        b"/a\x7f",
        b"/a%",
        b"/a%2",
        b"/a%zz",
        b"/a#b",
        b"/a?b#c",
        b"/a?b c",
        b"/a?\x80",
        b"/caf\xc3\xa9",
        b"/a/..;x/b",
        b"/.;/b",
        b"/%2e%2e;/b",
    ],
)
def test_what_upstreams_disagree_about_is_refused(target: bytes) -> None:
    assert normal_target(target) is None


@given(st.text(alphabet="/.%2e5fF;a?\\", max_size=24))
def test_a_normal_target_is_its_own_normal_form_and_has_no_dot_segment(tail: str) -> None:
    normal = normal_target(b"/" + tail.encode())
    if normal is not None:
        path = normal.partition(b"?")[0]
        assert normal_target(normal) == normal
        assert path.startswith(b"/")
        assert b"//" not in path
        assert not {b".", b".."} & set(path.split(b"/"))
        assert b"%2f" not in path.lower()


def test_what_is_plain_is_its_own_normal_spelling_and_the_rest_is_not() -> None:
    for size in range(1, 6):
        for parts in product((b"/", b".", b"a", b"?", b"%41", b"\\", b" "), repeat=size):
            target = b"".join(parts)
            plain = target.startswith(b"/") and normal_target(target) == target
            assert not is_plain(target) or plain, target
            assert is_plain(target) or not plain or b"/." in target or b"//" in target, target
