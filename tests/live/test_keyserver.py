"""The real gpg against the key server behind the gateway: keys of every kind, there and back."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from bench._gateway import Gateway
from pysequoia.packet import PacketPile

from plugbay.artifacts import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

PROJECT = Path(__file__).parents[2] / "plugins/services/keyserver"
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////"
    "////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)
"""A picture of one point."""


class Gpg:
    """A gpg with a home of its own, at a path that is short enough for its sockets."""

    def __enter__(self) -> Self:
        self.home = Path(tempfile.mkdtemp(prefix="gpg-"))
        return self

    def __exit__(self, *_: object) -> None:
        # Its agent and dirmngr stay behind otherwise.
        subprocess.run(["gpgconf", "--kill", "all"], env=self._environment(), check=True)
        shutil.rmtree(self.home, ignore_errors=True)  # while their sockets go too

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "GNUPGHOME": str(self.home), "LC_ALL": "C.UTF-8"}

    def __call__(self, *arguments: str | Path, said: str = "", wrong: bool = False) -> bytes:
        command = ["gpg", "--batch", "--no-tty", "--yes", "--status-fd", "2"]
        command += ["--pinentry-mode", "loopback", "--passphrase", "", *arguments]
        done = subprocess.run(
            command, input=said.encode(), env=self._environment(), capture_output=True
        )
        assert bool(done.returncode) == wrong, done.stderr.decode()
        return done.stdout + (done.stderr if wrong else b"")

    def make(self, name: str, algorithm: str, expire: str = "0") -> str:
        """Make a key without a passphrase; return its fingerprint."""
        address = f"{name} <{name}@example.org>"
        options = ("--quick-gen-key", address, algorithm, "default", expire)
        self("--faked-system-time", "20260101T000000!", *options)
        return self.fingerprint(name)

    def fingerprint(self, name: str) -> str:
        lines = self("--with-colons", "--list-keys", f"{name}@example.org").decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with Gateway(workers=2) as gateway:
        folder = Path(tempfile.mkdtemp(dir=gateway.folder))
        gateway.client.upload(build_wheel(PROJECT, folder))
        gateway.put("keyserver", version="1.0.0", watch=0.0)
        content = {"name": "keys", "path": "/pks", "plugin": "keyserver"}
        gateway.change("PUT", "/routes/keys", content)
        yield f"hkp://{gateway.address}"


def kinds(gpg: Gpg) -> dict[str, str]:
    """Make a key of every kind; return their fingerprints."""
    keys = {
        "rsa": gpg.make("rsa", "rsa3072"),
        "ed25519": gpg.make("ed25519", "ed25519"),
        "expired": gpg.make("expired", "ed25519", "20260201T000000"),
        "revoked": gpg.make("revoked", "ed25519"),
        "many": gpg.make("many", "ed25519"),
        "photo": gpg.make("photo", "ed25519"),
    }
    gpg("--quick-add-key", keys["ed25519"], "cv25519", "encr", "0")
    for name in ("two", "three"):
        gpg("--quick-add-uid", keys["many"], f"{name} <{name}@example.org>")
    revocation = gpg.home / "openpgp-revocs.d" / f"{keys['revoked']}.rev"
    gpg("--import", "-", said=revocation.read_text().replace(":-----BEGIN", "-----BEGIN"))
    picture = gpg.home / "picture.jpg"
    picture.write_bytes(JPEG)
    said = f"addphoto\n{picture}\ny\nsave\n"
    gpg("--command-fd", "0", "--edit-key", keys["photo"], said=said)
    return keys


def packets(key: bytes) -> list[bytes]:
    """What a key is made of; user ids may come in another order."""
    return sorted(bytes(packet.body) for packet in PacketPile.from_bytes(key))


def test_keys_of_every_kind_come_back_as_they_went(server: str) -> None:
    with Gpg() as alice, Gpg() as bob:
        keys = kinds(alice)
        alice("--keyserver", server, "--send-keys", *keys.values())
        bob("--keyserver", server, "--recv-keys", *keys.values())
        for name, fingerprint in keys.items():
            sent, received = (gpg("--export", fingerprint) for gpg in (alice, bob))
            assert packets(received) == packets(sent), name
        found = bob("--keyserver", server, "--with-colons", "--search-keys", "two@example.org")
        assert keys["many"].encode() in found
        assert b"three@example.org" in found


def test_a_key_that_nobody_sent(server: str) -> None:
    with Gpg() as gpg:
        refusal = gpg("--keyserver", server, "--recv-keys", "0" * 39 + "1", wrong=True)
        assert b"FAILURE recv-keys" in refusal
