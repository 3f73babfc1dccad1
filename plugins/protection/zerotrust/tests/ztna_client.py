"""A client of the plugin, and a software authenticator."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import struct
from typing import TYPE_CHECKING, Any

import argon2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from plugbay_zerotrust import Config, ZeroTrust
from pyotp.totp import TOTP

from plugbay.sdk.testing import FakeHost, run_plugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.sdk.testing import Running
    from plugbay.sdk.testing._answer import Answer

PASSWORD = "correct horse battery"  # noqa: S105 - of a test
ORIGIN, RP = "https://app.example", "app.example"
CLIENT = "198.51.100.7"


def play(
    story: Callable[[Client], Awaitable[None]], host: FakeHost | None = None, **config: Any
) -> None:
    """Run the plugin and let the story happen; alice is there."""

    async def main() -> None:
        made = Config(**{"mode": "enforce", **config})
        async with run_plugin(ZeroTrust, made, host=host) as running:
            quick(running)
            client = Client(running)
            await client.operate("create", user="alice", password=PASSWORD, roles=["staff"])
            await story(client)

    asyncio.run(main())


def quick(running: Running[ZeroTrust]) -> None:
    """Let argon2 take less than it should: tests sign in often."""
    running.plugin._passwords._hasher = argon2.PasswordHasher(1, 8, 1)


class Client:
    """Keeps the session as a program does: in a header field."""

    def __init__(self, running: Running[ZeroTrust], address: str = CLIENT) -> None:
        self.running, self.address, self.session = running, address, ""

    @property
    def host(self) -> FakeHost:
        return self.running.host

    async def get(self, path: str = "/", **fields: str) -> Answer:
        """Ask for a path."""
        return await self.running.request(
            "GET", path, headers=self._fields(fields), client=self.address
        )

    async def post(self, path: str, content: object, **fields: str) -> Answer:
        """Send JSON; keep the session that comes back."""
        if isinstance(content, dict) and not path.endswith("logout"):
            content = {"deliver": "body", **content}
        fields = {"content-type": "application/json", **self._fields(fields)}
        answer = await self.running.request(
            "POST",
            f"/ztna/{path}",
            headers=fields,
            body=json.dumps(content).encode(),
            client=self.address,
        )
        if answer.status == 200 and "session" in answer.data():
            self.session = answer.data()["session"]
        return answer

    async def login(self, user: str = "alice", password: str = PASSWORD) -> Answer:
        return await self.post("login", {"username": user, "password": password})

    async def operate(self, name: str, **arguments: Any) -> Any:
        return await self.running.plugin.on_operation(name, arguments)

    async def totp(self) -> TOTP:
        """Enrol one-time passwords."""
        offered = await self.post("device", {"type": "totp"})
        made = TOTP(offered.data()["secret"])
        answer = await self.post("device", {"type": "totp", "code": self.code(made)})
        assert answer.status == 200
        return made

    def code(self, made: TOTP) -> str:
        return str(made.at(int(self.host.clock.time())))

    def _fields(self, fields: dict[str, str]) -> dict[str, str]:
        own = {"x-ztna-session": self.session} if self.session else {}
        return {**own, **{name.replace("_", "-"): value for name, value in fields.items()}}


class Authenticator:
    """A security key in software, with a key of P-256 (WebAuthn level 3, sections 6 and 7)."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id, self.count = secrets.token_bytes(32), 0

    def create(self, options: dict[str, Any], *, origin: str = ORIGIN) -> dict[str, Any]:
        """Answer `navigator.credentials.create`."""
        about = client_data("webauthn.create", options["challenge"], origin)
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + self._public()
        data = self._data(options["rp"]["id"], 0x45) + attested
        attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData" + _cbor_bytes(data)
        response = {"clientDataJSON": text(about), "attestationObject": text(attestation)}
        return self._credential(response)

    def get(
        self, options: dict[str, Any], *, origin: str = ORIGIN, flags: int = 0x05
    ) -> dict[str, Any]:
        """Answer `navigator.credentials.get`."""
        about = client_data("webauthn.get", options["challenge"], origin)
        self.count += 1
        data = self._data(options["rpId"], flags)
        signed = data + hashlib.sha256(about).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._credential(
            {
                "clientDataJSON": text(about),
                "authenticatorData": text(data),
                "signature": text(signature),
            }
        )

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        return {
            "id": text(self.id),
            "rawId": text(self.id),
            "type": "public-key",
            "response": response,
        }

    def _data(self, rp_id: str, flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _public(self) -> bytes:
        """Return the key as COSE (RFC 9052): {1: 2, 3: -7, -1: 1, -2: x, -3: y}."""
        numbers = self.key.public_key().public_numbers()
        x, y = (_cbor_bytes(number.to_bytes(32)) for number in (numbers.x, numbers.y))
        return b"\xa5\x01\x02\x03\x26\x20\x01\x21" + x + b"\x22" + y


def client_data(kind: str, challenge: str, origin: str) -> bytes:
    return json.dumps({"type": kind, "challenge": challenge, "origin": origin}).encode()


def text(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _cbor_bytes(raw: bytes) -> bytes:
    return (
        b"\x58" + bytes([len(raw)]) if len(raw) < 256 else b"\x59" + struct.pack(">H", len(raw))
    ) + raw
