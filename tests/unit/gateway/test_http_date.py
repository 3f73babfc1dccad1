"""The dates of responses."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from plugbay.gateway.message._http_date import http_date


@pytest.mark.parametrize("seconds", [0, 784111777, 951782400, 1709164800, 4102444799, 253402300799])
def test_it_is_as_the_standard_library_says_it(seconds: int) -> None:
    assert http_date(seconds) == formatdate(seconds, usegmt=True).encode()


def test_the_example_of_the_rfc() -> None:
    assert http_date(784111777) == b"Sun, 06 Nov 1994 08:49:37 GMT"
