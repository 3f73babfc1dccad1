"""A publisher as a configuration names him: by files with his keys and his authorities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from plugbay.artifacts.signing._keys import load_chain, load_public_key
from plugbay.artifacts.signing._publisher import Publisher
from plugbay.kernel import Invalid, PlugbayError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from plugbay.artifacts.signing._publisher import Identity

T = TypeVar("T")


def read_publisher(
    name: str,
    *,
    keys: Iterable[str | PathLike[str]] = (),
    roots: Iterable[str | PathLike[str]] = (),
    subjects: tuple[str, ...] = (),
    identities: tuple[Identity, ...] = (),
) -> Publisher:
    """Read the public keys and the certificates of authorities, PEM files.

    Raises `Invalid` with one problem, at `/keys` or `/roots`, for a file that is none.
    """
    read = tuple(_read(path, load_public_key, "/keys") for path in keys)
    authorities = tuple(one for path in roots for one in _read(path, load_chain, "/roots"))
    return Publisher.of(name, read, authorities, subjects, identities)


def _read(path: str | PathLike[str], load: Callable[[bytes], T], at: str) -> T:
    try:
        return load(Path(path).expanduser().read_bytes())
    except (OSError, PlugbayError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        problem = Problem(at, str(why), expected="a PEM file", found=str(path))
        raise Invalid(f"{path} is no key: {why}", problems=(problem,)) from error
