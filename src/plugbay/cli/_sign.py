"""`plugbay keygen`, `sign` and `verify`: who has made an artifact."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugbay.cli._files import UserFile, target
from plugbay.cli._options import Output
from plugbay.cli._output import Format, print_facts
from plugbay.kernel import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

File = Annotated[Path, typer.Argument(help="The wheel or binary.")]
PASSWORD = "PLUGBAY_KEY_PASSWORD"  # noqa: S105 - the name of a variable


def keygen(
    key: Annotated[Path, typer.Argument(help="Where to write the private key.")],
    output: Output = Format.TABLE,
) -> None:
    """Make an Ed25519 key: KEY for its owner only, and KEY.pub for those who trust it."""
    from plugbay.artifacts.signing import generate_key, key_id, load_private_key, public_pem

    key = target(key, "KEY")
    if key.exists():
        raise Conflict(f"{key} exists already; give another name")
    pem = generate_key()
    public = load_private_key(pem).public_key()
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    public_path = key.with_name(f"{key.name}.pub")
    public_path.write_bytes(public_pem(public))
    print_facts({"private": key, "public": public_path, "key_id": key_id(public)}, output)


def sign(
    file: File,
    key: Annotated[Path, typer.Option(help="The private key, PEM: Ed25519 or RSA.")],
    chain: Annotated[
        Path | None, typer.Option(help="The key's certificates, PEM, its own first.")
    ] = None,
    days: Annotated[
        float, typer.Option(help="Days for which it is valid; 0: for ever.", min=0)
    ] = 0,
    output: Output = Format.TABLE,
) -> None:
    """Sign an artifact into FILE.sig, which `plugin push` sends along.

    An encrypted key's password is read from the variable PLUGBAY_KEY_PASSWORD.
    """
    from plugbay.artifacts.signing import sign as make

    now = time.time()
    envelope = make(
        file.name,
        _digest(file),
        private_key(key),
        chain=_chain(chain, "--chain") if chain else (),
        now=now,
        expires=now + days * 86400 if days else None,
    )
    path = file.with_name(f"{file.name}.sig")
    path.write_bytes(envelope.encode())
    print_facts({"signature": path, "key_id": envelope.signatures[0].keyid}, output)


def verify(
    file: File,
    signature: Annotated[
        Path | None, typer.Option(help="The signature; by default FILE.sig.")
    ] = None,
    key: Annotated[
        list[Path] | None, typer.Option(help="A public key that is trusted. Repeatable.")
    ] = None,
    root: Annotated[
        list[Path] | None, typer.Option(help="Certificates of a trusted authority. Repeatable.")
    ] = None,
    sigstore_root: Annotated[
        Path | None, typer.Option(help="A trusted_root.json: FILE.sig may be a Sigstore bundle.")
    ] = None,
    identity: Annotated[str, typer.Option(help="Who signed, in a Sigstore bundle.")] = "",
    issuer: Annotated[str, typer.Option(help="Who says so: the OpenID Connect issuer.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Verify an artifact's signature by keys and authorities; exit with 1 if it does not count."""
    from plugbay.artifacts.signing import Identity, SigstoreRoot, Trust, check, read_publisher

    known = (Identity(identity=identity, issuer=issuer),) if identity else ()
    digest = _digest(file)
    check_public_keys(key or ())
    for path in root or ():
        _chain(path, "--root")
    given = read_publisher("given", keys=key or (), roots=root or (), identities=known)
    sigstore = None
    if sigstore_root:
        wanted = UserFile(sigstore_root, "--sigstore-root", "a trusted_root.json of Sigstore")
        sigstore = wanted.open(SigstoreRoot.read, Invalid)
    trust = Trust(publishers=(given,), sigstore=sigstore)
    beside = signature or file.with_name(f"{file.name}.sig")
    raw = UserFile(beside, "--signature", "a signature", f"plugbay sign {file} makes one").read()
    found = check(raw, digest, trust, now=time.time())
    if not found.publisher:
        for problem in found.problems:
            print(f"plugbay: {file.name}: {problem}", file=sys.stderr)
        raise typer.Exit(1)
    by = {"key_id": found.keyid, "identity": found.identity, "issuer": found.issuer}
    facts = {"verified": file} | {name: value for name, value in by.items() if value}
    ends = {"signed_at": found.signed_at, "expires": found.expires or "never"}
    print_facts(facts | ends, output)


def private_key(path: Path) -> Ed25519PrivateKey | RSAPrivateKey:
    """Read the key of `--key`, with the password that a variable holds. Raises `Invalid`."""
    from plugbay.artifacts.signing import load_private_key

    password = os.environ.get(PASSWORD, "").encode() or None
    remedy = f"plugbay keygen KEY makes one; {PASSWORD} holds the password of an encrypted one"
    file = UserFile(path, "--key", "a private key (PEM, Ed25519 or RSA)", remedy)
    return file.load(lambda pem: load_private_key(pem, password))


def check_public_keys(paths: Iterable[Path]) -> None:
    """See that each `--key` is a public key. Raises `Invalid`."""
    from plugbay.artifacts.signing import load_public_key

    for path in paths:
        remedy = "`plugbay keygen KEY` writes it to KEY.pub"
        UserFile(path, "--key", "a public key or a certificate (PEM)", remedy).load(load_public_key)


def _chain(path: Path, option: str) -> tuple[Certificate, ...]:
    from plugbay.artifacts.signing import load_chain

    return UserFile(path, option, "certificates (PEM)").load(load_chain)


def _digest(file: Path) -> str:
    import hashlib

    path = UserFile(file, "FILE", "a wheel or a binary").check()
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
