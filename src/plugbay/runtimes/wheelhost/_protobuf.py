"""The wire format of protobuf, as far as `hook.proto` needs it; by the standard library alone.

A plugin's environment may have any version of protobuf, or none. Messages are dictionaries by the
names of their fields; what is not in one has its default. Fields that nobody knows are skipped.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["uint", "sint", "bool", "string", "bytes", "double"]
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DOUBLE = struct.Struct("<d")
_LONGEST = 10
"""Bytes of a varint."""


class Malformed(ValueError):
    """The bytes are no message."""


class Field(NamedTuple):
    """One field of a message; `message` is its type if that is a message."""

    name: str
    kind: Kind = "bytes"
    repeated: bool = False
    message: Message | None = None


class Message:
    """A message's fields, by number for reading and by name for writing."""

    __slots__ = ("_by_name", "_by_number")

    def __init__(self, fields: Mapping[int, Field]) -> None:
        self._by_number = dict(fields)
        self._by_name = {field.name: (field, _tag(n, field)) for n, field in fields.items()}

    def decode(self, data: bytes, at: int = 0, end: int = -1) -> dict[str, Any]:
        """Read a message. Raises `Malformed`."""
        end = len(data) if end < 0 else end
        values: dict[str, Any] = {}
        fields = self._by_number
        try:
            while at < end:
                tag, at = _read(data, at)
                wire, field = tag & 7, fields.get(tag >> 3)
                if wire == _BYTES:
                    size, at = _read(data, at)
                    stop = at + size
                    if stop > end:
                        raise Malformed("a field ends behind its message")
                    if field is not None and field.kind == "double":  # packed
                        for (number,) in _DOUBLE.iter_unpack(data[at:stop]):
                            _put(values, field, number)
                    elif field is not None:
                        _put(values, field, _slice(field, data, at, stop))
                    at = stop
                elif wire == _VARINT:
                    value, at = _read(data, at)
                    if field is not None:
                        _put(values, field, _number(field, value))
                elif wire == _FIXED64:
                    if field is not None:
                        _put(values, field, _DOUBLE.unpack_from(data, at)[0])
                    at += 8
                elif wire == _FIXED32:
                    at += 4
                else:
                    raise Malformed(f"there is no wire type {wire}")
        except (IndexError, struct.error, UnicodeDecodeError) as error:
            raise Malformed(str(error)) from None
        if at != end:
            raise Malformed("a field ends behind its message")
        return values

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """Write a message; a number or text that is its default is left out."""
        out = bytearray()
        for name, value in values.items():
            field, tag = self._by_name[name]
            if field.repeated:
                for one in value:
                    _write(out, field, tag, one)
            elif value or field.message is not None:
                _write(out, field, tag, value)
        return bytes(out)


def _slice(field: Field, data: bytes, at: int, stop: int) -> Any:
    if field.message is not None:
        return field.message.decode(data, at, stop)
    value = bytes(data[at:stop])
    return value.decode() if field.kind == "string" else value


def _number(field: Field, value: int) -> int:
    if field.kind == "sint":
        return value >> 1 ^ -(value & 1)
    return bool(value) if field.kind == "bool" else value


def _put(values: dict[str, Any], field: Field, value: Any) -> None:
    if field.repeated:
        values.setdefault(field.name, []).append(value)
    else:
        values[field.name] = value


def _tag(number: int, field: Field) -> bytes:
    sizes = {"uint": _VARINT, "sint": _VARINT, "bool": _VARINT, "double": _FIXED64}
    wire = _BYTES if field.message is not None else sizes.get(field.kind, _BYTES)
    return varint(number << 3 | wire)


def _write(out: bytearray, field: Field, tag: bytes, value: Any) -> None:
    out += tag
    if field.message is not None:
        value = field.message.encode(value)
    elif field.kind == "string":
        value = value.encode("utf-8", "replace")
    elif field.kind == "double":
        out += _DOUBLE.pack(value)
        return
    elif field.kind == "sint":
        out += varint(value << 1 if value >= 0 else ~value << 1 | 1)
        return
    elif field.kind != "bytes":
        out += varint(int(value))
        return
    out += varint(len(value))
    out += value


def varint(number: int) -> bytes:
    """Write a number of 64 bits at most, which is not negative."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read(data: bytes, at: int) -> tuple[int, int]:
    first = data[at]
    if first < 0x80:
        return first, at + 1
    value, shift, start = first & 0x7F, 7, at
    while True:
        at += 1
        if at - start >= _LONGEST:
            raise Malformed("a number is too long")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + 1
        shift += 7
