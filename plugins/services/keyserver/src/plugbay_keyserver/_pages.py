"""What is answered: armored keys, the index for machines and that for people."""

from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from pysequoia import ArmorKind, armor

from ._certificate import Certificate, Key, day


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: int
    body: bytes
    media_type: str

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return its header fields. Keys may be read from any page."""
        return [
            (b"content-type", self.media_type.encode()),
            (b"content-length", b"%d" % len(self.body)),
            (b"access-control-allow-origin", b"*"),
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"default-src 'none'"),
        ]


def text(content: str, media_type: str = "text/plain; charset=utf-8") -> Answer:
    """Answer with text."""
    return Answer(200, content.encode(), media_type)


def problem(status: int, detail: str) -> Answer:
    """Refuse, in a line."""
    return Answer(status, f"{detail}\n".encode(), "text/plain; charset=utf-8")


def armored(found: list[Certificate]) -> Answer:
    """Answer with the keys themselves."""
    data = b"".join(certificate.data for certificate in found)
    return text(armor(data, ArmorKind.PublicKey), "application/pgp-keys; charset=us-ascii")


def machine_index(found: list[Certificate]) -> Answer:
    """Answer with the machine-readable index (draft-gallagher-openpgp-hkp, section 5.2)."""
    lines = [f"info:1:{len(found)}"]
    for one in found:
        expires = str(one.expires) if one.expires else ""
        flags = "r" if one.revoked else ""
        key = one.primary
        lines.append(
            f"pub:{one.fingerprint}:{key.algorithm}:{key.bits}:{key.created}:{expires}:{flags}"
        )
        lines += [f"uid:{quote(name, safe=' @<>()')}:{key.created}::" for name in one.user_ids]
    return text("\n".join(lines) + "\n")


def index_page(found: list[Certificate], *, verbose: bool) -> Answer:
    """Answer with a page for people; `verbose` with the subkeys."""
    rows = "".join(_entry(one, verbose=verbose) for one in found)
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Keys</title>'
    return text(f"{head}<h1>Keys</h1>{rows}</html>\n", "text/html; charset=utf-8")


def _entry(one: Certificate, *, verbose: bool) -> str:
    link = f"lookup?op=get&amp;search=0x{one.fingerprint}"
    names = "".join(f"<li>{escape(name)}</li>" for name in one.user_ids)
    state = " revoked" if one.revoked else f" expires {day(one.expires)}" if one.expires else ""
    subkeys = "".join(f"<li>{_line(key)}</li>" for key in one.subkeys) if verbose else ""
    return (
        f'<h2><a href="{link}">{one.fingerprint}</a></h2><p>{_line(one.primary)}{state}</p>'
        f"<ul>{names}{subkeys}</ul>"
    )


def _line(key: Key) -> str:
    return f"{key.fingerprint} algorithm {key.algorithm}, {key.bits} bits, {day(key.created)}"
