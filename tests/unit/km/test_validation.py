"""Which programs are found, and which of them may be run."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from plugbay.artifacts.signing import generate_key, load_private_key, public_pem, sign
from plugbay.kernel import Invalid
from plugbay.km import WORKING, KmConfig, discover, read_config, validate
from plugbay.km._config import PublisherConfig

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Home


def program(folder: Path, name: str = "km-plugin-a", content: str = "#!/bin/sh\n") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(content)
    path.chmod(0o755)
    return path


def signed(path: Path, pem: bytes, *, expires: float | None = None) -> str:
    """Sign it; return its digest."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    envelope = sign(path.name, digest, load_private_key(pem), now=time.time(), expires=expires)
    path.with_name(f"{path.name}.sig").write_bytes(envelope.encode())
    return digest


def trusting(tmp_path: Path, pem: bytes, **more: object) -> KmConfig:
    key = tmp_path / "acme.pub"
    key.write_bytes(public_pem(load_private_key(pem).public_key()))
    acme = PublisherConfig(name="acme", keys=(str(key),))
    return KmConfig(**{"signatures": "enforce", "publishers": (acme,), **more})  # type: ignore[arg-type]  # a test's


def rsa_key() -> bytes:
    return generate_private_key(65537, 3072).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def only(folder: Path):
    ((found,), _) = discover([folder])
    return found


def test_programs_are_found_by_name_and_described_by_their_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    for name in ("km-plugin-console-logger", "km-plugin-api-0a1b2c3d", "other"):
        program(folder, name)
    (folder / "km-plugin-console-logger.sig").write_text("{}")
    (folder / "console-logger.manifest.json").write_text(
        json.dumps({"name": "console-logger", "version": "1.0.0", "required_tier": "Pro"})
    )
    (folder / "api.manifest.json").write_text(json.dumps({"description": "d\x1b[2J"}))
    found, hidden = discover([folder])
    assert not hidden
    assert [(one.name, one.version, one.tier) for one in found] == [
        ("api", "unknown", "Free"),
        ("console-logger", "1.0.0", "Pro"),
    ]
    assert "\x1b" not in found[0].description


def test_the_first_folder_counts_and_the_others_are_told(tmp_path: Path) -> None:
    first, second = program(tmp_path / "one"), program(tmp_path / "two")
    found, hidden = discover([tmp_path / "one", tmp_path / "none", tmp_path / "two"])
    assert [one.path for one in found] == [first]
    assert [one.path for one in hidden] == [second]


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ("{", "cannot be read"),
        ("[" * 60000, "cannot be read"),
        ("[]", "no JSON object"),
        ('{"name": "../x"}', "a name that is"),
    ],
)
def test_a_manifest_that_makes_no_sense_keeps_the_plugin_out(
    tmp_path: Path, manifest: str, reason: str
) -> None:
    program(tmp_path / "p")
    (tmp_path / "p" / "a.manifest.json").write_text(manifest)
    with pytest.raises(Invalid, match=reason):
        validate(only(tmp_path / "p"), KmConfig())


def test_without_a_policy_any_program_of_the_user_may_run(tmp_path: Path) -> None:
    path = program(tmp_path / "p")
    verdict = validate(only(tmp_path / "p"), KmConfig())
    assert verdict.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (verdict.publisher, verdict.warning) == ("", "")


def test_what_others_could_have_written_may_not(tmp_path: Path) -> None:
    path = program(tmp_path / "p")
    found = only(tmp_path / "p")
    path.chmod(0o757)
    with pytest.raises(Invalid, match="everybody may write to it"):
        validate(found, KmConfig())
    path.chmod(0o644)
    with pytest.raises(Invalid, match="not executable"):
        validate(found, KmConfig())
    path.chmod(0o755)
    (tmp_path / "p").chmod(0o777)
    with pytest.raises(Invalid, match="everybody may write to its directory"):
        validate(found, KmConfig())
    (tmp_path / "p").chmod(0o700)
    path.unlink()
    with pytest.raises(Invalid, match="No such file"):
        validate(found, KmConfig())
    path.mkdir()
    with pytest.raises(Invalid, match="no regular file"):
        validate(found, KmConfig())


def test_a_link_is_as_safe_as_the_folder_it_lies_in(tmp_path: Path) -> None:
    target = program(tmp_path / "safe")
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "km-plugin-a").symlink_to(target)
    assert validate(only(folder), KmConfig()).digest
    folder.chmod(0o777)
    with pytest.raises(Invalid, match="everybody may write to its directory"):
        validate(only(folder), KmConfig())


def test_nothing_is_waited_for_that_may_never_come(tmp_path: Path) -> None:
    path = program(tmp_path / "plugins")
    os.mkfifo(path.with_name("a.manifest.json"))
    os.mkfifo(path.with_name("km-plugin-a.sig"))
    verdict = validate(only(path.parent), KmConfig(signatures="warn"))
    assert verdict.warning == "its signature cannot be read: it is no regular file"
    os.truncate(path, 1 << 40)  # of which nothing is on the disk
    with pytest.raises(Invalid, match="larger than 512 MiB"):
        validate(only(path.parent), KmConfig())


def test_what_is_another_users_may_not(tmp_path: Path) -> None:
    path = program(tmp_path / "p")
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
        with pytest.raises(Invalid, match="belongs to another user"):
            validate(only(tmp_path / "p"), KmConfig())
    else:  # nobody but root can give a file away: it belongs to the user
        assert path.stat().st_uid == os.geteuid()


@pytest.mark.parametrize("make", [generate_key, rsa_key])
def test_signatures_of_publishers_that_are_trusted_count(tmp_path: Path, make) -> None:
    pem = make()
    path = program(tmp_path / "p")
    config = trusting(tmp_path, pem)
    with pytest.raises(Invalid, match="not signed"):
        validate(only(tmp_path / "p"), config)
    digest = signed(path, pem)
    assert validate(only(tmp_path / "p"), config).publisher == "acme"
    for word in (digest, digest.upper(), f"sha256:{digest}"):
        with pytest.raises(Invalid, match="revoked"):
            validate(only(tmp_path / "p"), trusting(tmp_path, pem, revoked=(word,)))
    path.write_text("#!/bin/sh\nevil\n")
    with pytest.raises(Invalid, match="of another artifact"):
        validate(only(tmp_path / "p"), config)


def test_strangers_and_expired_signatures_do_not(tmp_path: Path) -> None:
    pem = generate_key()
    path = program(tmp_path / "p")
    config = trusting(tmp_path, pem)
    signed(path, generate_key())
    with pytest.raises(Invalid, match="no signature is by a publisher"):
        validate(only(tmp_path / "p"), config)
    signed(path, pem, expires=time.time() - 10)
    with pytest.raises(Invalid, match="expired"):
        validate(only(tmp_path / "p"), config)
    path.with_name("km-plugin-a.sig").write_text("nothing")
    with pytest.raises(Invalid, match="DSSE"):
        validate(only(tmp_path / "p"), config)
    warned = validate(only(tmp_path / "p"), trusting(tmp_path, pem, signatures="warn"))
    assert "DSSE" in warned.warning


def test_the_working_directory_is_trusted_by_signature_or_by_word_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = program(tmp_path / "plugins")
    pem = generate_key()
    ((found,), _) = discover([WORKING])
    with pytest.raises(Invalid, match="lies in the working directory and it is not signed"):
        validate(found, KmConfig())
    assert validate(found, KmConfig(working_directory=True)).digest
    signed(path, pem)
    assert validate(found, trusting(tmp_path, pem, signatures="off")).publisher == "acme"


def test_the_configuration_is_read_strictly(home: Home) -> None:
    file = home.path / ".plugbay" / "km.toml"
    assert read_config(file) == KmConfig()
    home.configure('signatures = "warn"\n[plugins.a]\nnetwork = true\n')
    assert read_config(file).plugin("a").network
    assert read_config(file).plugin("b").enabled
    for text, reason in (
        ('signatures = "sometimes"', "signatures"),
        ("signatures = ", "not valid TOML"),
        ("signature = 1", "unknown key"),
    ):
        home.configure(text)
        with pytest.raises(Invalid, match=reason):
            read_config(file)
    file.unlink()
    file.mkdir()
    with pytest.raises(Invalid, match="cannot be read"):
        read_config(file)


def test_a_key_that_is_none_lets_nothing_run(tmp_path: Path) -> None:
    program(tmp_path / "p")
    nobody = PublisherConfig(name="acme", keys=(str(tmp_path / "none"),))
    with pytest.raises(Invalid, match=r"km.toml: .*none is no key"):
        validate(only(tmp_path / "p"), KmConfig(signatures="warn", publishers=(nobody,)))
