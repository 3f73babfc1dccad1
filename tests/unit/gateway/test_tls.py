"""Certificates: choice by name, reload, refusal; and the contexts for upstreams."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from plugbay.gateway import Tls
from plugbay.gateway.transport._tls import Certificate, ServerTls, client_context
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from pathlib import Path


def issue(folder: Path, name: str, *names: str) -> Certificate:
    """Make a self-signed leaf for `names`; it replaces what is there."""
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    san = "subjectAltName=" + ",".join(f"DNS:{each}" for each in names)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-keyout", key, "-out", chain, "-subj", f"/CN={names[0]}",
         "-addext", san, "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return Certificate(chain=chain, key=key)


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str | None) -> ssl.SSLObject:
    """Shake hands in memory and return the client's side; raises what either side raises."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(down, up, server_hostname=name)
    other = server.wrap_bio(up, down, server_side=True)
    for side in (one, other, one, other):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return one


def shown(server: ssl.SSLContext, name: str | None) -> bytes:
    """Return the certificate that a client asking for `name` sees."""
    blind = client_context(Tls(verify=False))
    return shake(server, blind, name).getpeercert(binary_form=True) or b""


def der(certificate: Certificate) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.chain.read_text())


def test_the_certificate_fits_the_name_that_is_asked_for(tmp_path: Path) -> None:
    first = issue(tmp_path, "first", "a.test")
    wild = issue(tmp_path, "wild", "*.b.test", "b.test")
    exact = issue(tmp_path, "exact", "x.b.test")
    context = ServerTls([first, wild, exact]).context
    assert shown(context, "a.test") == der(first)
    assert shown(context, "b.test") == der(wild)
    assert shown(context, "Y.B.test") == der(wild)
    assert shown(context, "x.b.test") == der(exact)
    assert shown(context, "deep.y.b.test") == der(first)
    assert shown(context, "unknown.test") == der(first)
    assert shown(context, None) == der(first)


def test_http_1_1_is_agreed_and_old_versions_are_refused(tmp_path: Path) -> None:
    context = ServerTls([issue(tmp_path, "c", "a.test")]).context
    agreed = shake(context, client_context(Tls(verify=False)), "a.test")
    assert agreed.selected_alpn_protocol() == "http/1.1"
    assert agreed.version() == "TLSv1.3"
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    found = shake(context, old, "a.test").cipher()
    assert found is not None
    assert found[0].startswith("ECDHE-")
    old.set_ciphers("AES128-SHA")
    with pytest.raises(ssl.SSLError):
        shake(context, old, "a.test")


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    tls = ServerTls([old := issue(tmp_path, "c", "a.test")])
    was = der(old)
    assert not tls.reload()
    new = issue(tmp_path, "c", "b.test")
    assert shown(tls.context, "a.test") == was
    assert tls.reload()
    assert not tls.reload()
    assert shown(tls.context, "a.test") == der(new) != was


def test_a_pair_that_does_not_fit_leaves_the_old_one_in_service(tmp_path: Path) -> None:
    tls = ServerTls([good := issue(tmp_path, "c", "a.test")])
    was = der(good)
    good.chain.write_bytes(issue(tmp_path, "other", "a.test").chain.read_bytes())
    with pytest.raises(Invalid, match="cannot be loaded"):
        tls.reload()
    assert not tls.reload()
    assert shown(tls.context, "a.test") == was
    good.chain.unlink()
    with pytest.raises(Invalid, match="cannot be loaded"):
        tls.reload()
    assert shown(tls.context, "a.test") == was
    new = issue(tmp_path, "c", "a.test")
    assert tls.reload()
    assert shown(tls.context, "a.test") == der(new)


def test_the_watch_reloads_and_reports(tmp_path: Path) -> None:
    async def run() -> None:
        tls = ServerTls([certificate := issue(tmp_path, "c", "a.test")])
        failures: asyncio.Queue[Invalid] = asyncio.Queue()
        task = asyncio.create_task(tls.watch(0.005, failures.put_nowait))
        certificate.chain.write_text("nonsense")
        problem = await asyncio.wait_for(failures.get(), 100)
        assert problem.problems[0].found == str(certificate.chain)
        new = issue(tmp_path, "c", "b.test")
        async with asyncio.timeout(100):
            while True:
                if shown(tls.context, None) == der(new):
                    break
                await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_what_cannot_be_loaded_at_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="at least one"):
        ServerTls([])
    with pytest.raises(Invalid, match="cannot be loaded") as caught:
        ServerTls([Certificate(chain=tmp_path / "no.pem", key=tmp_path / "no.key")])
    assert caught.value.problems[0].pointer == "/certificates"


def test_an_encrypted_key_is_refused_and_does_not_ask_the_terminal(tmp_path: Path) -> None:
    certificate = issue(tmp_path, "c", "a.test")
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-aes128", "-passout", "pass:x", "-in", certificate.key, "-out", locked],
        check=True,
        capture_output=True,
    )
    with pytest.raises(Invalid, match="the key is encrypted"):
        ServerTls([Certificate(chain=certificate.chain, key=locked)])


def test_an_upstream_is_verified_against_its_ca(tmp_path: Path) -> None:
    certificate = issue(tmp_path, "c", "a.test")
    server = ServerTls([certificate]).context
    by_file = client_context(Tls(ca=str(certificate.chain)))
    by_text = client_context(Tls(ca=certificate.chain.read_text()))
    for context in (by_file, by_text):
        # A leaf as its own anchor, which operators do with self-signed upstreams.
        assert shake(server, context, "a.test").getpeercert()
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            shake(server, context, "b.test")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, client_context(Tls()), "a.test")
    assert shake(server, client_context(Tls(verify=False)), "b.test").version()


@pytest.mark.parametrize("ca", ["no-such-file.pem", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_ca_that_cannot_be_read_is_refused(ca: str) -> None:
    with pytest.raises(Invalid) as caught:
        client_context(Tls(ca=ca))
    assert caught.value.problems[0].pointer == "/tls/ca"


def agreed(server: ssl.SSLContext, name: str, *offered: str) -> str | None:
    """Return the protocol that a handshake agrees on (ALPN)."""
    client = client_context(Tls(verify=False))
    client.set_alpn_protocols(offered)
    return shake(server, client, name).selected_alpn_protocol()


def test_http_2_is_offered_with_every_certificate_and_after_a_reload(tmp_path: Path) -> None:
    pairs = [issue(tmp_path, "first", "a.test"), issue(tmp_path, "other", "b.test")]
    tls, without = ServerTls(pairs, http2=True), ServerTls(pairs)
    for name in ("a.test", "b.test", "none.test"):
        assert agreed(tls.context, name, "h2", "http/1.1") == "h2"
        assert agreed(tls.context, name, "http/1.1") == "http/1.1"
        assert agreed(without.context, name, "h2", "http/1.1") == "http/1.1"
    issue(tmp_path, "other", "b.test")
    assert tls.reload()
    assert agreed(tls.context, "b.test", "http/1.1", "h2") == "h2"
