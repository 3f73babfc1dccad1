"""Files that users name: what is said of one that is not there, or is of another kind."""

from __future__ import annotations

import os
import shlex

import pytest
import typer.main

from plugbay.artifacts.signing import generate_key
from plugbay.cli._files import UserFile, kind_of, target, user_folder
from plugbay.cli._root import build
from plugbay.kernel import Invalid, Malformed

READS = {
    "sign {} --key key": "FILE",
    "sign file --key {}": "--key",
    "sign file --key key --chain {}": "--chain",
    "verify {}": "FILE",
    "verify file --signature {}": "--signature",
    "verify file --signature file --key {}": "--key",
    "verify file --signature file --root {}": "--root",
    "verify file --signature file --sigstore-root {}": "--sigstore-root",
    "bundle create x --customer c -o b.tar --key {}": "--key",
    "bundle show {}": "FILE",
    "bundle show file --key {}": "--key",
    "bundle install {}": "FILE",
    "plugins install {}": "FILE",
    "mcp replay {}": "FILE",
    "mcp tools --name x --config {}": "--config",
    "check --config {}": "--config",
    "serve --config {}": "--config",
    "plugin push {}": "WHAT",
    "plugin push file --manifest {}": "--manifest",
    "plugin push file --config {}": "--config",
    "plugin check {}": "WHAT",
    "plugin build {}": "FOLDER",
    "plugin configure x --file {}": "--file",
    "plan {}": "DOCUMENT",
    "apply {}": "DOCUMENT",
    "import postman {}": "FILE",
    "import postman file --environment {}": "--environment",
    "import openapi {}": "FILE",
    "restore {}": "ARCHIVE",
    "backup x.tar --data-dir {}": "--data-dir",
    "audit verify {}": "FILE",
    "audit verify --anchor {}": "--anchor",
    "audit verify --data-dir {}": "--data-dir",
    "audit export --data-dir {}": "--data-dir",
    "login --password-file {}": "--password-file",
    "user add a --role viewer --password-file {}": "--password-file",
    "user passwd --current-file {}": "--current-file",
}
WRITES = {
    "keygen {}": "KEY",
    "bundle create x --customer c --key key -o {}": "--output",
    "export document {}": "FILE",
    "export postman {}": "FILE",
    "audit export --output {}": "--output",
}


def test_every_option_says_what_was_expected_and_what_was_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file").write_text("hello")
    (tmp_path / "key").write_bytes(generate_key())
    command = typer.main.get_command(build())
    for line, name in (READS | WRITES).items():
        with pytest.raises(Invalid) as raised:
            command.main(shlex.split(line.format("no/such")), "plugbay", standalone_mode=False)
        found = "nothing there" if line in READS else "no folder no"
        said = raised.value.detail
        assert said.startswith(f"{name} no/such: expected "), line
        assert f", found {found}" in said, line
        assert "\n" not in said


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file"),
        (generate_key(), "a private key"),
        (b"-----BEGIN CERTIFICATE-----", "a certificate"),
        (b"\x7fELF\x02", "a program"),
        (b"PK\x03\x04", "a zip archive, as wheels are"),
        (b"\x1f\x8b\x08", "a gzip archive, as packages of km are"),
        (b"x" * 257 + b"ustar", "a tar archive"),
        (b"a\0b", "binary data"),
        (b' {"a": 1}', "JSON"),
        (b"hello", "another text"),
    ],
)
def test_what_a_content_looks_like(content, kind):
    assert kind_of(content) == kind


def test_a_file_of_another_kind(tmp_path):
    def refuse(_):
        raise Malformed("it is encrypted")

    path = tmp_path / "f"
    file = UserFile(path, "--key", "a private key", "make one")
    path.write_bytes(b"\xff")
    with pytest.raises(Invalid, match=r"found what is no text in UTF-8\. make one$"):
        file.text()
    with pytest.raises(Invalid, match=r"expected a private key, found another text\. make one$"):
        file.load(refuse)
    path.write_bytes(generate_key())
    for load in (lambda: file.load(refuse), lambda: file.open(refuse, Malformed)):
        with pytest.raises(Invalid, match=r"found a private key: it is encrypted\. make one$"):
            load()
    with pytest.raises(Malformed):
        file.open(refuse, Invalid)


def test_folders_and_places(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Invalid, match=r"found a folder$"):
        UserFile(tmp_path, "FILE", "a file").read()
    with pytest.raises(Invalid, match=r"found a folder$"):
        target(tmp_path, "--output")
    assert target(tmp_path / "new", "--output") == tmp_path / "new"
    with pytest.raises(Invalid, match=r"found a file$"):
        user_folder(tmp_path / "file", "--into", "a folder", made=True)
    with pytest.raises(Invalid, match=r"found nothing there$"):
        user_folder(tmp_path / "new", "--into", "a folder")
    assert user_folder(tmp_path / "new", "--into", "a folder", made=True) == tmp_path / "new"
    closed = tmp_path / "file"
    closed.chmod(0)
    if os.geteuid():  # nothing is closed to root
        with pytest.raises(Invalid, match=r"found a file that you may not read$"):
            UserFile(closed, "FILE", "a file").read()
