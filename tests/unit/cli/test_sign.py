"""`plugbay keygen`, `sign` and `verify` on real files."""

from __future__ import annotations

import json
import stat
from datetime import timedelta

import pytest

from ..artifacts.signing.instance import ISSUER, NOW, SIGNER, Instance


@pytest.fixture
def signed(cli, tmp_path):
    """A key and a signed file."""
    file, key = tmp_path / "x.whl", tmp_path / "key"
    file.write_bytes(b"content")
    assert cli("keygen", str(key)).code == 0
    assert cli("sign", str(file), "--key", str(key), "--days", "1").code == 0
    return file, key


def test_what_is_signed_verifies(cli, signed):
    file, key = signed
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    outcome = cli("verify", str(file), "--key", f"{key}.pub", "-o", "json")
    assert outcome.code == 0
    assert outcome.json["signed_at"] < outcome.json["expires"]
    envelope = json.loads(file.with_name("x.whl.sig").read_text())
    assert envelope["payloadType"] == "application/vnd.in-toto+json"


def test_what_does_not_verify(cli, signed, tmp_path):
    file, key = signed
    assert cli("keygen", str(tmp_path / "other")).code == 0
    foreign = cli("verify", str(file), "--key", str(tmp_path / "other.pub"))
    assert (foreign.code, "no signature is by" in foreign.err) == (1, True)
    file.write_bytes(b"changed")
    changed = cli("verify", str(file), "--key", f"{key}.pub")
    assert (changed.code, "another artifact" in changed.err) == (1, True)


def test_nothing_is_overwritten_and_what_is_missing_is_named(cli, signed, tmp_path):
    file, key = signed
    assert "exists already" in cli("keygen", str(key)).err
    nothing = f"plugbay: FILE {tmp_path}/no: expected a wheel or a binary, found nothing there\n"
    assert cli("sign", str(tmp_path / "no"), "--key", str(key)).err == nothing
    wrong = f"--key {key}.pub: expected a private key (PEM, Ed25519 or RSA), found a public key. "
    assert cli("sign", str(file), "--key", f"{key}.pub").err.startswith(f"plugbay: {wrong}")
    wrong = f"--key {key}: expected a public key or a certificate (PEM), found a private key. "
    assert cli("verify", str(file), "--key", key).err.startswith(f"plugbay: {wrong}")


def test_a_sigstore_bundle_verifies_by_who_signed_it(cli, tmp_path):
    file, instance = tmp_path / "x.whl", Instance()
    file.write_bytes(b"content")
    bundle = tmp_path / "x.whl.sig"
    bundle.write_text(json.dumps(instance.bundle(b"content")))
    root = instance.write_root(tmp_path)
    asked = ("verify", str(file), "--sigstore-root", str(root), "--issuer", ISSUER)
    outcome = cli(*asked, "--identity", SIGNER, "-o", "json")
    assert (outcome.code, outcome.json["identity"], outcome.json["issuer"]) == (0, SIGNER, ISSUER)
    assert outcome.json["signed_at"] == NOW.isoformat(timespec="seconds")
    other = cli(*asked, "--identity", "mallory@acme.example")
    assert (other.code, "SANs do not match" in other.err) == (1, True)
    late = instance.bundle(b"content", at=NOW + timedelta(days=1))
    bundle.write_text(json.dumps(late))
    assert cli(*asked, "--identity", SIGNER).code == 1
