"""From the settings to whom the gateway trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugbay.app._trust import read_trust
from plugbay.artifacts.signing import Identity, generate_key, load_private_key, public_pem
from plugbay.kernel import Invalid
from plugbay.settings import parse

from ..artifacts.signing.instance import Instance

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts.signing import Trust


def trust(text: str) -> Trust:
    return read_trust(parse(f"[signing]\n{text}", {}).signing)


def test_keys_and_identities_are_read(tmp_path: Path) -> None:
    key = tmp_path / "acme.pub"
    key.write_bytes(public_pem(load_private_key(generate_key()).public_key()))
    found = trust(
        f"""
        sigstore_root = "{Instance().write_root(tmp_path)}"
        revoked = ["AB:CD"]
        publishers = [
            {{ name = "acme", keys = ["{key}"] }},
            {{ name = "beta", identities = [{{ identity = "a@b.de", issuer = "https://i" }}] }},
        ]
        rules = [{{ plugins = ["acme-*"], publishers = ["acme"] }}]
        """
    )
    acme, beta = found.publishers
    assert len(acme.keys) == 1
    assert beta.identities == (Identity(identity="a@b.de", issuer="https://i"),)
    assert found.sigstore is not None
    assert found.revoked == {"abcd"}
    assert found.rule("acme-jwt", "me").publishers == ("acme",)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('publishers = [{ name = "a" }]', "/signing/publishers/0"),
        ('publishers = [{ name = "a", keys = ["/none"] }]', "/signing/publishers/0/keys"),
        ('publishers = [{ name = "a", roots = ["/none"] }]', "/signing/publishers/0/roots"),
        ('rules = [{ publishers = ["who"] }]', "/signing/rules/0/publishers"),
        ('sigstore_root = "/none"', "/signing/sigstore_root"),
        (
            'publishers = [{ name = "a", identities = [{ identity = "a", issuer = "b" }] }]',
            "/signing/sigstore_root",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        trust(text)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
