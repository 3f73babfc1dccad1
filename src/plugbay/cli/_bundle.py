"""`plugbay bundle`: chosen plugins for one customer, in one signed file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from plugbay.cli._commands import Commands
from plugbay.cli._files import UserFile, target, user_folder
from plugbay.cli._options import Output
from plugbay.cli._output import Format, print_facts
from plugbay.cli._sign import check_public_keys, private_key
from plugbay.kernel import Malformed

if TYPE_CHECKING:
    from plugbay.artifacts.signing import Trust
    from plugbay.km.bundle import Opened

DAY = 86400
Key = Annotated[
    list[Path] | None,
    typer.Option(help="A public key that is trusted, besides those of km.toml. Repeatable."),
]
File = Annotated[Path, typer.Argument(help="The bundle.")]


class _CreateUnlessTold(TyperGroup):
    """`plugbay bundle --customer …` is `plugbay bundle create --customer …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args and (args[0] in self.commands or args[0] in ("-h", "--help"))
        if args and not named and "--customer" in args:
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
    customer: Annotated[str, typer.Option(help="Whom it is for.")],
    file: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
    key: Annotated[Path, typer.Option(help="The private key to sign with, PEM.")],
    tier: Annotated[str, typer.Option(help="The customer's: Free, Pro or Enterprise.")] = "Free",
    days: Annotated[float, typer.Option(help="Days for which it is valid.", min=0.01)] = 365,
) -> None:
    """Write a bundle: an OCI image layout that needs no network to be installed.

    An encrypted key's password is read from the variable PLUGBAY_KEY_PASSWORD.
    """
    from plugbay.km import choose
    from plugbay.km.bundle import make

    file, signer = target(file, "--output"), private_key(key)
    now = time.time()
    contents = make(
        file,
        [choose(name) for name in plugins],
        signer,
        customer=customer,
        tier=tier,
        now=now,
        expires=now + days * DAY,
    )
    names = [part.name for part in contents.plugins]
    print_facts({"bundle": file, "plugins": names, "expires": contents.expires}, Format.TABLE)


def show(file: File, key: Key = None, output: Output = Format.TABLE) -> None:
    """Verify a bundle and say what is in it."""
    opened = _opened(file, _trust(key), time.time())
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
    folder: Annotated[Path, typer.Option("--folder", "--into", help="Where to install.")] = Path(
        "~/.km/plugins"
    ),
    output: Output = Format.TABLE,
) -> None:
    """Verify a bundle and install its plugins; they count until it expires.

    Later, too, they run only while a publisher of km.toml has signed them.
    """
    from plugbay.km.bundle import install as put

    folder = user_folder(folder, "--folder", "a folder for plugins", made=True)
    trust, now = _trust(key), time.time()
    opened = _opened(file, trust, now)
    paths = put(opened, folder, trust, now=now)
    facts = {"installed": [str(path) for path in paths], "expires": opened.contents.expires}
    print_facts(facts, output)


def _opened(path: Path, trust: Trust, now: float) -> Opened:
    from plugbay.km.bundle import open_bundle

    file = UserFile(path, "FILE", "a bundle", "`plugbay bundle create` makes one")
    return file.open(lambda found: open_bundle(found, trust, now=now), Malformed)


def _trust(keys: list[Path] | None) -> Trust:
    from dataclasses import replace

    from plugbay.km import PublisherConfig, read_config, read_trust

    config = read_config()
    if keys:
        check_public_keys(keys)
        given = PublisherConfig(name="--key", keys=tuple(str(key) for key in keys))
        config = replace(config, publishers=(*config.publishers, given))
    return read_trust(config)
