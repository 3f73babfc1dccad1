"""Bundles: made, tampered with, installed, expired."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import time
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.artifacts.signing import Publisher, Trust, generate_key, load_private_key, public_pem
from plugbay.kernel import Invalid, Malformed
from plugbay.km import KmConfig, PublisherConfig, discover, validate
from plugbay.km._discovery import read
from plugbay.km.bundle import install, make, open_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Home

NOW = time.time()
KEY = load_private_key(generate_key())
TRUST = Trust(publishers=(Publisher.of("acme", (KEY.public_key(),)),))


def program(folder: Path, name: str = "a", tier: str = "Free") -> Path:
    path = folder / f"km-plugin-{name}"
    path.write_text(f"#!/bin/sh\n# {name}\n")
    path.chmod(0o755)
    said = {"name": name, "version": "1.2.3", "required_tier": tier}
    (folder / f"{name}.manifest.json").write_text(json.dumps(said))
    return path


def bundle(tmp_path: Path, *names: str, expires: float = NOW + 3600, **more: Any) -> Path:
    target = tmp_path / "b.tar"
    found = [read(program(tmp_path, name)) for name in names or ("a",)]
    known = {"customer": "Umbrella", "tier": "Pro", "now": NOW, "expires": expires}
    make(target, found, KEY, **{**known, **more})
    return target


def changed(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Write an archive anew with other files."""
    with tarfile.open(path) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    change(files)
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def blob(descriptor: dict[str, Any]) -> str:
    return "blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")


def put(files: dict[str, bytes], content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    files[f"blobs/sha256/{digest}"] = content
    return f"sha256:{digest}"


def test_it_is_an_oci_image_layout(tmp_path: Path) -> None:
    path = bundle(tmp_path, "a", "b")
    with tarfile.open(path) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    assert json.loads(files.pop("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads(files.pop("index.json"))
    for name, content in files.items():
        assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    first, second = (json.loads(files[blob(one)]) for one in index["manifests"])
    assert second["subject"]["digest"] == index["manifests"][0]["digest"]
    assert len(first["layers"]) == 2
    for one in (first["config"], *first["layers"]):
        assert len(files[blob(one)]) == one["size"]


def test_what_it_installs_is_found_and_may_run_until_it_expires(tmp_path: Path) -> None:
    opened = open_bundle(bundle(tmp_path, "a", "b"), TRUST, now=NOW)
    assert (opened.publisher, opened.contents.customer) == ("acme", "Umbrella")
    folder = tmp_path / "home" / "plugins"
    paths = install(opened, folder, TRUST, now=NOW)
    assert [path.name for path in paths] == ["km-plugin-a", "km-plugin-b"]
    assert paths[0].read_text() == "#!/bin/sh\n# a\n"
    found, _ = discover([folder])
    assert [(one.name, one.version) for one in found] == [("a", "1.2.3"), ("b", "1.2.3")]
    (tmp_path / "acme.pub").write_bytes(public_pem(KEY.public_key()))
    acme = PublisherConfig(name="acme", keys=(str(tmp_path / "acme.pub"),))
    config = KmConfig(signatures="off", publishers=(acme,))
    assert validate(found[0], config).publisher == "acme"
    # Whatever the policy is: what came in a bundle needs its signature.
    with pytest.raises(Invalid, match="no signature is by"):
        validate(found[0], KmConfig(signatures="off"))
    soon = open_bundle(bundle(tmp_path, now=NOW - 9, expires=NOW - 1), TRUST, now=NOW - 5)
    install(soon, folder, TRUST, now=NOW - 5)
    with pytest.raises(Invalid, match="expired"):
        validate(found[0], config)


def test_nothing_is_installed_of_one_that_has_expired_or_is_a_strangers(tmp_path: Path) -> None:
    path = bundle(tmp_path)
    with pytest.raises(Invalid, match="expired"):
        open_bundle(path, TRUST, now=NOW + 7200)
    with pytest.raises(Invalid, match="cannot be trusted"):
        open_bundle(path, Trust(), now=NOW)
    opened = open_bundle(path, TRUST, now=NOW)
    with pytest.raises(Invalid, match="expired"):
        install(opened, tmp_path / "p", TRUST, now=NOW + 7200)
    assert not (tmp_path / "p").exists()


def test_what_was_tampered_with_is_refused(tmp_path: Path) -> None:
    def program_changed(files: dict[str, bytes]) -> None:
        name = next(name for name, content in files.items() if content.startswith(b"#!"))
        files[name] += b"evil\n"

    with pytest.raises(Malformed, match="another content"):
        open_bundle(changed(bundle(tmp_path), program_changed), TRUST, now=NOW)
    opened = open_bundle(bundle(tmp_path), TRUST, now=NOW)
    changed(opened.path, program_changed)  # behind its back
    with pytest.raises(Malformed, match="another content"):
        install(opened, tmp_path / "p", TRUST, now=NOW)

    def tier_changed(files: dict[str, bytes]) -> None:
        """As one would who also mends every digest: only the signature tells."""
        index = json.loads(files["index.json"])
        manifest = json.loads(files.pop(blob(index["manifests"][0])))
        config = files.pop(blob(manifest["config"]))
        assert b'"tier":"Pro"' in config
        raised = config.replace(b'"tier":"Pro"', b'"tier":"Enterprise"', 1)
        manifest["config"]["digest"] = put(files, raised)
        index["manifests"][0]["digest"] = put(files, json.dumps(manifest).encode())
        files["index.json"] = json.dumps(index).encode()

    with pytest.raises(Invalid, match="signature is of another artifact"):
        open_bundle(changed(bundle(tmp_path), tier_changed), TRUST, now=NOW)
    broken = changed(bundle(tmp_path), lambda files: files.update({"index.json": b"{"}))
    with pytest.raises(Malformed, match="cannot be read"):
        open_bundle(broken, TRUST, now=NOW)
    empty = changed(bundle(tmp_path), lambda files: files.update({"index.json": b"{}"}))
    with pytest.raises(Malformed, match="no signed bundle"):
        open_bundle(empty, TRUST, now=NOW)
    (tmp_path / "b.tar").write_bytes(b"no archive")
    with pytest.raises(Malformed, match="cannot be read as a bundle"):
        open_bundle(tmp_path / "b.tar", TRUST, now=NOW)


def test_what_does_not_belong_into_one_is_refused(tmp_path: Path) -> None:
    pro = read(program(tmp_path, "pro", "Pro"))
    free = read(program(tmp_path, "free"))
    terms: dict[str, Any] = {"customer": "c", "now": NOW, "expires": NOW + 1}
    for plugins, tier, reason in (
        ([pro], "Free", "needs the tier Pro"),
        ([free, free], "Free", "one name"),
        ([], "Free", "needs a plugin"),
        ([free], "Gold", "no tier"),
    ):
        with pytest.raises(Invalid, match=reason):
            make(tmp_path / "x.tar", plugins, KEY, tier=tier, **terms)
    assert not (tmp_path / "x.tar").exists()


def test_from_one_users_hands_into_anothers(home: Home, console_logger: Path) -> None:
    source = home.install(console_logger)
    moved = home.path / source.name
    os.rename(source, moved)
    key, file = home.path / "acme.key", home.path / "b.tar"
    assert home.cli("keygen", key).exit_code == 0
    made = home.cli("bundle", "--customer", "Umbrella", "--key", key, moved, "-o", file)
    assert made.exit_code == 0, made.output
    refused = home.cli("bundle", "install", file)
    assert isinstance(refused.exception, Invalid)
    assert "no signature is by a publisher" in str(refused.exception)
    home.configure(f'[[publishers]]\nname = "acme"\nkeys = ["{key}.pub"]\n')
    shown = home.cli("bundle", "show", file, "-o", "json")
    assert json.loads(shown.stdout)["publisher"] == "acme"
    assert home.cli("bundle", "install", file).exit_code == 0
    (row,) = json.loads(home.cli("plugins", "list", "-o", "json").stdout)
    assert (row["state"], row["signed_by"]) == ("Active", "acme")
