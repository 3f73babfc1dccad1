"""Files that users name: read, or refused by one line with the option, what was expected of the
file, what was found, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from plugbay.kernel import Invalid, PlugbayError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_KINDS = (
    (b"PRIVATE KEY-----", "a private key"),
    (b"PUBLIC KEY-----", "a public key"),
    (b"-----BEGIN CERTIFICATE", "a certificate"),
    (b"\x7fELF", "a program"),
    (b"PK\x03\x04", "a zip archive, as wheels are"),
    (b"\x1f\x8b", "a gzip archive, as packages of km are"),
)
_HEAD = 512


class UserFile:
    """A file, by the option or argument that names it."""

    def __init__(self, path: Path, name: str, expected: str, remedy: str = "") -> None:
        """Name it by `name` (`--key`, or `FILE`) and say what it should be, and what helps."""
        self.path, self._name = path.expanduser(), name
        self._expected, self._remedy = expected, remedy

    def read(self) -> bytes:
        """Return its content. Raises `Invalid`."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise self.wrong(_trouble(error)) from None

    def text(self) -> str:
        """Return its content as text. Raises `Invalid`."""
        try:
            return self.read().decode("utf-8")
        except UnicodeDecodeError:
            raise self.wrong("what is no text in UTF-8") from None

    def load(self, load: Callable[[bytes], T]) -> T:
        """Return what `load` makes of its content. Raises `Invalid`, also for what it raises."""
        raw = self.read()
        try:
            return load(raw)
        except PlugbayError as error:
            raise self._unlike(raw, error) from None

    def open(self, load: Callable[[Path], T], error: type[PlugbayError]) -> T:
        """Return what `load` makes of its path. Raises `Invalid`, also where that raises `error`;
        others pass."""
        path = self.check()
        try:
            return load(path)
        except error as raised:
            with path.open("rb") as file:
                raise self._unlike(file.read(_HEAD), raised) from None

    def _unlike(self, raw: bytes, error: PlugbayError) -> Invalid:
        """Say what it looks like; why that is not good, only if it should look so."""
        kind = kind_of(raw)
        why = kind in self._expected or kind in ("JSON", "a tar archive")
        return self.wrong(f"{kind}: {error.detail}" if why else kind)

    def check(self) -> Path:
        """Return the path of what can be read. Raises `Invalid`."""
        try:
            with self.path.open("rb"):
                return self.path
        except OSError as error:
            raise self.wrong(_trouble(error)) from None

    def wrong(self, found: str) -> Invalid:
        """Return the refusal that says what was found instead."""
        line = f"{self._name} {self.path}: expected {self._expected}, found {found}"
        return Invalid(f"{line}. {self._remedy}" if self._remedy else line)


def user_folder(
    path: Path, name: str, expected: str, remedy: str = "", *, made: bool = False
) -> Path:
    """Return the path of a folder that is there, or is `made` if it is not. Raises `Invalid`."""
    file = UserFile(path, name, expected, remedy)
    if not file.path.is_dir() and (file.path.exists() or not made):
        raise file.wrong("a file" if file.path.exists() else "nothing there")
    return file.path


def target(path: Path, name: str, expected: str = "a place for a file") -> Path:
    """Return where a file can be written. Raises `Invalid`."""
    file = UserFile(path, name, expected)
    if file.path.is_dir():
        raise file.wrong("a folder")
    if not file.path.absolute().parent.is_dir():
        raise file.wrong(f"no folder {file.path.parent}")
    return file.path


def kind_of(raw: bytes) -> str:
    """Say what a content looks like."""
    if not raw:
        return "an empty file"
    head = raw[:_HEAD]
    for mark, kind in _KINDS:
        if mark in head[: len(mark) + 64]:
            return kind
    if raw[257:262] == b"ustar":
        return "a tar archive"
    if b"\0" in head:
        return "binary data"
    return "JSON" if head.lstrip()[:1] in (b"{", b"[") else "another text"


def _trouble(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "nothing there"
    if isinstance(error, IsADirectoryError):
        return "a folder"
    if isinstance(error, PermissionError):
        return "a file that you may not read"
    return f"what cannot be read: {error.strerror}"
