import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from plugbay_keyserver import Config, KeyServer
from pysequoia import ArmorKind, Cert, CipherSuite, Tsk, armor

from plugbay.sdk.testing import run_plugin

FORM = {"content-type": "application/x-www-form-urlencoded"}
ANN, BOB = "Ann <ann@example.org>", "Bob <bob@example.org>"


def secret_key(*names: str, suite: CipherSuite | None = None) -> Tsk:
    return Tsk.generate(user_ids=names, cipher_suite=suite)


def public(key: Tsk) -> str:
    return armor(bytes(key.extract_certificate()), ArmorKind.PublicKey)


def story(tell: Any, config: Config | None = None) -> Any:
    async def main() -> Any:
        async with run_plugin(KeyServer, config or Config()) as plugin:
            return await tell(plugin)

    return asyncio.run(main())


async def add(plugin: Any, text: str | bytes) -> Any:
    body = urlencode({"keytext": text}).encode()
    return await plugin.request("POST", "/pks/add", headers=FORM, body=body)


async def look(plugin: Any, operation: str, search: str, options: str = "") -> Any:
    query = urlencode({"op": operation, "search": search, "options": options})
    return await plugin.request("GET", f"/pks/lookup?{query}")


@pytest.mark.parametrize("suite", [CipherSuite.Cv25519, CipherSuite.RSA3k, CipherSuite.P256])
def test_a_key_is_found_by_all_its_names(suite: CipherSuite) -> None:
    key = secret_key(ANN, "Ann at work <ann@work.example>", suite=suite)
    cert = key.extract_certificate()
    fingerprint = cert.fingerprint.upper()

    async def tell(plugin: Any) -> None:
        added = await add(plugin, public(key))
        assert (added.status, added.body) == (200, f"{fingerprint} added\n".encode())
        for search in (f"0x{fingerprint}", f"0x{fingerprint[-16:].lower()}", "ann@WORK"):
            found = await look(plugin, "get", search)
            assert found.status == 200
            assert found.headers["content-type"].startswith("application/pgp-keys")
            assert bytes(Cert.from_bytes(found.body)) == bytes(cert)
            index = (await look(plugin, "index", search, "mr,nm")).body.decode().splitlines()
            assert index[0] == "info:1:1"
            assert index[1].startswith(f"pub:{fingerprint}:")
            assert index[1].split(":")[3] == {"RSA3k": "3072"}.get(str(suite)[12:], "256")
            assert index[2].startswith("uid:Ann <ann@example.org>:")
        page = await look(plugin, "vindex", f"0x{fingerprint}")
        assert b"Ann at work &lt;ann@work.example&gt;" in page.body
        assert page.headers["content-security-policy"] == "default-src 'none'"
        assert len(page.body) > len((await look(plugin, "index", f"0x{fingerprint}")).body)

    story(tell)


def test_what_is_new_is_merged() -> None:
    key = secret_key(ANN)
    cert = key.extract_certificate()
    more = cert.add_user_id(value=BOB, certifier=key.certifier())

    async def tell(plugin: Any) -> None:
        changes = [
            (await add(plugin, armor(bytes(one), ArmorKind.PublicKey))).body.split()[1]
            for one in (cert, more, cert, more)
        ]
        assert changes == [b"added", b"replaced", b"not", b"not"]
        found = await look(plugin, "get", "bob@example.org")
        assert len(Cert.from_bytes(found.body).user_ids) == 2
        for path in ("/pks/stats", "/pks/lookup?op=stats"):
            assert json.loads((await plugin.request("GET", path)).body)["keys"] == 1
        topics = [event.topic for event in plugin.host.events.published]
        assert topics == [
            "storage.key.added",
            "storage.key.replaced",
            "storage.key.not_changed",
            "storage.key.not_changed",
        ]

    story(tell)


def test_what_is_not_taken() -> None:
    key = secret_key(ANN)
    several = [bytes(secret_key(name).extract_certificate()) for name in (ANN, BOB, "Eve")]
    two, three = b"".join(several[:2]), b"".join(several)
    config = Config(max_bytes=20_000, max_keys=2, max_packets=8)

    async def tell(plugin: Any) -> None:
        for text, status, said in (
            ("", 400, "no field keytext"),
            ("nonsense", 400, "no OpenPGP key"),
            (public(key)[:400], 400, "no OpenPGP key"),
            (armor(bytes(key), ArmorKind.SecretKey), 400, "secret key"),
            (armor(three, ArmorKind.PublicKey), 400, "2 keys at most"),
            (armor(two, ArmorKind.PublicKey), 400, "packets at most"),
            ("x" * 20_001, 413, "20000 bytes at most"),
            ("%" * 70_000, 413, "20000 bytes at most"),
        ):
            answer = await add(plugin, text)
            assert (answer.status, said in answer.body.decode()) == (status, True), answer.body
        assert json.loads((await plugin.request("GET", "/pks/stats")).body)["keys"] == 0

    story(tell, config)


def test_what_cannot_be_asked() -> None:
    async def tell(plugin: Any) -> None:
        for method, target, status in (
            ("GET", "/pks/lookup", 501),
            ("GET", "/pks/lookup?op=x-delete&search=0x1", 501),
            ("GET", "/pks/lookup?op=get", 400),
            ("GET", "/pks/lookup?op=get&search=ab", 400),
            ("GET", "/pks/lookup?op=get&search=0x12345678", 400),
            ("GET", "/pks/lookup?op=get&search=0x1234567890123456", 404),
            ("GET", "/pks/lookup?" + "&".join("op=get" for _ in range(20)), 501),
            ("GET", "/pks/add", 405),
            ("DELETE", "/pks/lookup", 405),
            ("GET", "/pks/other", 404),
        ):
            assert (await plugin.request(method, target)).status == status, target

    story(tell)
