"""Whether a program may be started: whose file it is, and who has signed it."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid
from plugbay.km._discovery import BUNDLED
from plugbay.storage import open_regular

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts.signing import Provenance, Trust
    from plugbay.km._config import KmConfig
    from plugbay.km._discovery import Found

LARGEST = 512 << 20
"""Bytes of a program."""
_LARGEST_SIGNATURE = 1 << 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be started: exactly the content with this SHA-256. `warning` is for the user.

    `expires` is the Unix time at which it may no longer run, because its signature ends then.
    """

    digest: str
    publisher: str = ""
    warning: str = ""
    expires: float | None = None


def validate(found: Found, config: KmConfig, *, now: float | None = None) -> Verdict:
    """Look at a program before it is started, at the Unix time `now` (default: the system's).

    Raises `Invalid`, which says why it may not be.
    """
    now = time.time() if now is None else now
    if found.problem:
        raise Invalid(found.problem)
    try:
        check_file(found.path)
        with open_regular(found.path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Invalid(f"it cannot be read: {error.strerror}") from error
    if digest in revoked(config):
        raise Invalid("it was revoked")
    needed = found.working and not config.working_directory
    bundled = found.path.with_name(f"{found.path.name}{BUNDLED}").exists()
    if config.signatures == "off" and not needed and not bundled:
        return Verdict(digest)
    found_by = verified(found.path, digest, config, now)
    must = needed or bundled or config.signatures == "enforce"
    if found_by.publisher:
        ends = _ends(found_by) if must else None
        return Verdict(digest, found_by.publisher, expires=ends)
    problem = "; ".join(found_by.problems)
    if bundled:
        raise Invalid(f"it came in a bundle and {problem}; ask who made it for another")
    if needed:
        raise Invalid(
            f"it lies in the working directory and {problem}; install it in ~/.km/plugins, or"
            " say working_directory = true in km.toml"
        )
    if must:
        raise Invalid(problem)
    return Verdict(digest, warning=problem)


def verified(path: Path, digest: str, config: KmConfig, now: float) -> Provenance:
    """Return who has signed the content of this digest, and if nobody, why not.

    Raises `Invalid` if a key that the configuration names cannot be read.
    """
    # Imported here: most plugins are not signed, and it takes its time to load.
    from plugbay.artifacts.signing import Provenance, check

    trust = read_trust(config)
    signature = path.with_name(f"{path.name}.sig")
    try:
        with open_regular(signature) as file:
            raw = file.read(_LARGEST_SIGNATURE)
    except FileNotFoundError:
        return Provenance(problems=("it is not signed",))
    except OSError as error:
        return Provenance(problems=(f"its signature cannot be read: {error.strerror}",))
    return check(raw, digest, trust, now=now)


def _ends(found: Provenance) -> float | None:
    if not found.expires:
        return None
    moment = datetime.fromisoformat(found.expires)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def read_trust(config: KmConfig) -> Trust:
    """Read the keys that the configuration names. Raises `Invalid`."""
    from plugbay.artifacts.signing import Trust, read_publisher

    try:
        publishers = tuple(
            read_publisher(one.name, keys=one.keys, roots=one.roots) for one in config.publishers
        )
    except Invalid as error:
        raise Invalid(f"km.toml: {error.detail}") from error
    return Trust(policy=config.signatures, publishers=publishers, revoked=revoked(config))


def revoked(config: KmConfig) -> frozenset[str]:
    """Return what is revoked, however it was written: `sha256:`, capitals, colons between."""
    words = (word.lower().removeprefix("sha256:") for word in config.revoked)
    return frozenset(word.replace(":", "") for word in words)


def check_file(path: Path) -> None:
    """What others can change is not ours to run. Raises `OSError`, `Invalid`."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise Invalid("it is no regular file")
    if not os.access(path, os.X_OK):
        raise Invalid(f"it is not executable: chmod +x {path}")
    if about.st_size > LARGEST:
        raise Invalid(f"it is larger than {LARGEST >> 20} MiB")
    folders = dict.fromkeys((path.parent, path.resolve().parent))  # a link's, and the program's
    beside = (("its directory", folder, folder.stat()) for folder in folders)
    for what, where, place in (("it", path, about), *beside):
        if place.st_uid not in (os.geteuid(), 0):
            raise Invalid(f"{what} belongs to another user")
        if place.st_mode & stat.S_IWOTH:
            raise Invalid(f"everybody may write to {what}: chmod o-w {where}")
