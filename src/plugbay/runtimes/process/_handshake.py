"""The line by which a plugin says where it listens, and everything that can be wrong with it.

The protocol is that of hashicorp/go-plugin: `CORE|APP|network|address|protocol|certificate`, the
first line on standard output (docs/internals.md there).
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

CORE_VERSION = "1"
SUN_PATH = 108
"""Bytes in `sockaddr_un.sun_path` with the NUL behind it (unix(7))."""
_SHORTEST_CERTIFICATE = 50
_NUMBER = re.compile(r"[0-9]{1,9}")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
"""What a socket may be called: gRPC reads its path as a URI, in which `%2e` is a dot."""
REMEDY_SERVE = "build it with plugbay.dev/sdk and call sdk.Serve in main, before anything prints"


@dataclass(frozen=True, slots=True)
class Handshake:
    """Where a plugin listens. `certificate` is its own in DER, if it insists on TLS."""

    version: int
    network: str
    address: str
    certificate: bytes = b""

    @property
    def target(self) -> str:
        """The address as gRPC names it."""
        return f"unix:{self.address}" if self.network == "unix" else f"ipv4:{self.address}"


def parse_handshake(
    line: bytes, versions: Sequence[int], folder: str, speaks: str = "grpc"
) -> Handshake:
    """Read the line of a plugin that may listen in `folder`. Raises `Invalid`."""
    text = line.decode("utf-8", "replace").strip()
    parts = text.split("|")
    if len(parts) < 4 or not all(_NUMBER.fullmatch(part) for part in parts[:2]):
        raise _refused(
            "it printed something before the handshake",
            "the line 1|<version>|unix|<path>|grpc|",
            text[:200],
            "print nothing to standard output before it serves; log to standard error",
        )
    core, version, network, address = parts[:4]
    if core != CORE_VERSION:
        raise _refused(
            "unknown core protocol of go-plugin", CORE_VERSION, core, "use go-plugin 1.x"
        )
    if int(version) not in versions:
        wanted = ", ".join(map(str, versions))
        remedy = f"serve protocol version {wanted}: ServeConfig.HandshakeConfig.ProtocolVersion"
        raise _refused("incompatible API version with plugin", wanted, version, remedy)
    protocol = parts[4] if len(parts) > 4 else "netrpc"
    if protocol != speaks:
        remedy = "serve by gRPC: ServeConfig.GRPCServer = plugin.DefaultGRPCServer"
        raise _refused("unsupported plugin protocol", speaks, protocol, remedy)
    return Handshake(int(version), *_address(network, address, folder), _certificate(parts))


def _address(network: str, address: str, folder: str) -> tuple[str, str]:
    """See that the plugin listens where it was told: nobody else can connect to it there."""
    place, _, name = address.rpartition("/")
    if network != "unix" or place != folder or not _NAME.fullmatch(name):
        raise _refused(
            "it does not listen in the directory that it was given",
            f"a Unix socket in {folder}",
            f"{network} {address}"[:200],
            "leave the socket to go-plugin, which obeys PLUGIN_UNIX_SOCKET_DIR",
        )
    if (found := _kind(address)) != "a socket":
        remedy = "print the handshake when the socket is there, and make it there: no link"
        raise _refused("it does not listen where it says", "a socket", found, remedy)
    return network, address


def _kind(path: str) -> str:
    """Say what lies there. A link could lead to a socket of others, which were called then."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return "nothing"
    return "a socket" if stat.S_ISSOCK(mode) else "something else"


def _certificate(parts: Sequence[str]) -> bytes:
    import base64
    import binascii

    if len(parts) < 6 or len(parts[5]) <= _SHORTEST_CERTIFICATE:
        return b""
    try:
        return base64.b64decode(parts[5] + "=" * (-len(parts[5]) % 4), validate=True)
    except binascii.Error:
        raise _refused(
            "the certificate in its handshake cannot be read", "base64 of DER", parts[5][:40], ""
        ) from None


def check_path(folder: str) -> None:
    """Raise `Invalid` if no socket fits into the directory: the plugin would end without a word."""
    longest = len(folder.encode()) + len("/plugin") + 20
    if longest >= SUN_PATH:
        raise _refused(
            "the path of the socket would be too long",
            f"less than {SUN_PATH} bytes",
            f"up to {longest} bytes below {folder}",
            "set TMPDIR of the gateway to a short path, such as /tmp",
        )


def ended_early(code: int, said: str, remedy: str = REMEDY_SERVE) -> Invalid:
    """Return the problem of a program that ended without the line."""
    if "This binary is a plugin" in said or "meant to be executed" in said:
        return _refused(
            "it does not know this gateway's magic cookie",
            "the cookie of the dialect that the manifest's `entry` names",
            "another one: it took the gateway for a person",
            remedy,
        )
    last = said.strip().splitlines()[-1:] or ["nothing"]
    found = f"{_ending(code)}; it said: {last[0][:200]}"
    return _refused("it ended before the handshake", "one line on standard output", found, remedy)


def not_executable(reason: str) -> Invalid:
    """Return the problem of a file that the system refuses to execute."""
    return _refused(
        "it cannot be executed",
        "a program for this machine",
        reason,
        "build it for this operating system and processor (GOOS, GOARCH), statically "
        "(CGO_ENABLED=0)",
    )


def too_late(seconds: float, said: str, remedy: str = REMEDY_SERVE) -> Invalid:
    """Return the problem of a program that says nothing."""
    last = said.strip().splitlines()[-1:] or ["nothing"]
    found = f"nothing on standard output; on standard error: {last[0][:200]}"
    return _refused("it was late with the handshake", f"within {seconds:g} s", found, remedy)


def wrong_digest(wanted: str, found: str) -> Invalid:
    """Return the problem of a file that is not the one that was validated."""
    return _refused(
        "the file is not the one that was validated: its digest differs",
        wanted,
        found,
        "upload it again; somebody has changed the file in the data directory",
    )


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _refused(detail: str, expected: str, found: str, remedy: str) -> Invalid:
    problem = Problem("handshake", detail, expected, found, remedy)
    said = f"{detail} (expected {expected}, found {found})"
    return Invalid(f"{said}: {remedy}" if remedy else said, problems=(problem,))
