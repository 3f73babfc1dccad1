"""`plugbay bundle`: chosen plugins for one customer, in one signed file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from plugbay.cli._commands import Commands
from plugbay.cli._options import Output
from plugbay.cli._output import Format, print_facts
from plugbay.cli._sign import PASSWORD
from plugbay.kernel import NotFound

if TYPE_CHECKING:
    from plugbay.artifacts.signing import Trust

DAY = 86400
Key = Annotated[
    list[Path] | None,
    typer.Option(help="A public key that is trusted, besides those of km.toml. Repeatable."),
]
File = Annotated[Path, typer.Argument(help="The bundle.")]


class _CreateUnlessTold(TyperGroup):
    """`plugbay bundle --customer …` is `plugbay bundle create --customer …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["create", *args]
        return super().parse_args(ctx, args)


def build() -> typer.Typer:
    """Return the commands."""
    group = Commands("Chosen plugins for one customer, in one signed file.", cls=_CreateUnlessTold)
    group.add(
        "create",
        create,
        "plugbay bundle create km-plugin-a --customer Umbrella --key acme.key -o b.tar",
    )
    group.add("show", show, "plugbay bundle show b.tar --key acme.key.pub")
    group.add("install", install, "plugbay bundle install b.tar")
    return group


def create(
    plugins: Annotated[
        list[str], typer.Argument(help="Programs km-plugin-*, or names of installed plugins.")
    ],
    customer: Annotated[str, typer.Option(help="Who it is for.")],
    file: Annotated[Path, typer.Option("-o", "--output", help="Where to write it.")],
    key: Annotated[Path, typer.Option(help="The private key to sign with, PEM.")],
    tier: Annotated[str, typer.Option(help="Free, Pro or Enterprise.")] = "Free",
    days: Annotated[float, typer.Option(help="How long it counts.", min=0.01)] = 365,
) -> None:
    """Write a bundle: an OCI image layout that needs no network to be installed.

    An encrypted key's password is read from the variable PLUGBAY_KEY_PASSWORD.
    """
    from plugbay.artifacts.signing import load_private_key
    from plugbay.km import choose
    from plugbay.km.bundle import make

    password = os.environ.get(PASSWORD, "").encode() or None
    if not key.is_file():
        raise NotFound(f"there is no key {key}")
    now = time.time()
    contents = make(
        file,
        [choose(name) for name in plugins],
        load_private_key(key.read_bytes(), password),
        customer=customer,
        tier=tier,
        now=now,
        expires=now + days * DAY,
    )
    names = [part.name for part in contents.plugins]
    print_facts({"bundle": file, "plugins": names, "expires": contents.expires}, Format.TABLE)


def show(file: File, key: Key = None, output: Output = Format.TABLE) -> None:
    """Verify a bundle and say what is in it."""
    from plugbay.km.bundle import open_bundle

    opened = open_bundle(file, _trust(key), now=time.time())
    contents = opened.contents
    facts: dict[str, Any] = {
        "customer": contents.customer,
        "tier": contents.tier,
        "publisher": opened.publisher,
        "created": contents.created,
        "expires": contents.expires,
        "plugins": [f"{part.name} {part.version}" for part in contents.plugins],
    }
    print_facts(facts, output)


def install(
    file: File,
    key: Key = None,
    folder: Annotated[Path, typer.Option(help="Where to install.")] = Path("~/.km/plugins"),
    output: Output = Format.TABLE,
) -> None:
    """Verify a bundle and install its plugins; they count until it expires.

    Later, too, they run only while a publisher of km.toml has signed them.
    """
    from plugbay.km.bundle import install as put
    from plugbay.km.bundle import open_bundle

    trust, now = _trust(key), time.time()
    opened = open_bundle(file, trust, now=now)
    paths = put(opened, folder.expanduser(), trust, now=now)
    facts = {"installed": [str(path) for path in paths], "expires": opened.contents.expires}
    print_facts(facts, output)


def _trust(keys: list[Path] | None) -> Trust:
    from dataclasses import replace

    from plugbay.km import PublisherConfig, read_config, read_trust

    config = read_config()
    if keys:
        given = PublisherConfig(name="--key", keys=tuple(str(key) for key in keys))
        config = replace(config, publishers=(*config.publishers, given))
    return read_trust(config)
