"""The Repr-Digest field (RFC 9530)."""

from __future__ import annotations

import hashlib

import pytest

from plugbay.artifacts import format_repr_digest, parse_repr_digest
from plugbay.kernel import Malformed

DIGEST = hashlib.sha256(b"hello").hexdigest()


def test_the_field_goes_round() -> None:
    assert parse_repr_digest(format_repr_digest(DIGEST)) == DIGEST


def test_the_example_of_the_rfc() -> None:
    """RFC 9530, B.1: the representation is the JSON text below and a line feed."""
    field = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    assert parse_repr_digest(field) == hashlib.sha256(b'{"hello": "world"}\n').hexdigest()


def test_other_algorithms_are_ignored() -> None:
    assert parse_repr_digest("sha-512=:AAAA:, unixsum=:AAAA:") is None
    assert parse_repr_digest(f"sha-512=:AAAA: , {format_repr_digest(DIGEST)}") == DIGEST


@pytest.mark.parametrize(
    "field", ["", "sha-256", "sha-256=abc", "sha-256=:AAA:", "sha-256=:AAAA:", "sha-256=:AAAA:;x"]
)
def test_what_cannot_be_read_is_malformed(field: str) -> None:
    with pytest.raises(Malformed, match="Repr-Digest"):
        parse_repr_digest(field)
