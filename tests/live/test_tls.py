"""A TLS listener, and its certificate exchanged while it serves."""

from __future__ import annotations

import socket
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
from bench._gateway import Gateway, wait_for

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a self-signed certificate of `name` and its key."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    files = ["-keyout", str(key), "-out", str(chain)]
    alternatives = f"subjectAltName=DNS:{name},IP:127.0.0.1"
    names = ["-subj", f"/CN={name}", "-addext", alternatives]
    subprocess.run([*command.split(), *files, *names], check=True, capture_output=True)
    return chain, key


class Client:
    """One TLS connection that trusts nothing but the certificate in `chain`."""

    def __init__(self, address: str, chain: Path, name: str) -> None:
        context = ssl.create_default_context(cafile=chain)
        host, _, port = address.rpartition(":")
        raw = socket.create_connection((host, int(port)), 100)
        try:
            self._socket = context.wrap_socket(raw, server_hostname=name)
        except BaseException:
            raw.close()
            raise

    def get(self, path: str) -> bytes:
        """Return the head of the response, and what came of its body with it."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n".encode())
        data = b""
        while not data.endswith(b"}"):
            received = self._socket.recv(65_536)
            assert received, data
            data += received
        return data

    def close(self) -> None:
        self._socket.close()


def test_a_certificate_is_exchanged_while_it_serves(tmp_path: Path) -> None:
    chain, key = make_certificate(tmp_path, "one.test")
    first = tmp_path / "first.pem"
    first.write_bytes(chain.read_bytes())
    listener = (
        f'[[listeners]]\naddress = "127.0.0.1:0"\n'
        f'tls = {{ certificate = "{chain}", key = "{key}" }}\n'
    )
    with Gateway(settings=listener) as gateway:
        secure = gateway.facts["listeners"][0]
        old = Client(secure, first, "one.test")
        assert old.get("/json").startswith(b"HTTP/1.1 200 ")
        make_certificate(tmp_path, "two.test")

        def exchanged() -> bool:
            try:
                fresh = Client(secure, chain, "two.test")
            except ssl.SSLCertVerificationError:
                return False
            assert fresh.get("/json").startswith(b"HTTP/1.1 200 ")
            fresh.close()
            return True

        wait_for("the new certificate", exchanged, every=0.2)
        # Who is connected stays connected.
        assert old.get("/json").startswith(b"HTTP/1.1 200 ")
        old.close()


def test_the_admin_api_speaks_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, key = make_certificate(tmp_path, "admin.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    monkeypatch.setenv("PLUGBAY_ADMIN__TLS__CERTIFICATE", str(chain))
    monkeypatch.setenv("PLUGBAY_ADMIN__TLS__KEY", str(key))
    with Gateway() as gateway:
        assert gateway.admin_url.startswith("https://127.0.0.1:")
        assert gateway.client.call("GET", "/whoami").json["user"] == "admin"
        client = Client(gateway.facts["admin"], chain, "admin.test")
        head = client.get("/admin/api/v1/sign-in")
        assert head.startswith(b"HTTP/1.1 ")
        client.close()
        plain = socket.create_connection(gateway.facts["admin"].split(":"), 100)
        plain.sendall(b"GET / HTTP/1.1\r\nhost: gateway\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP/1.1 2")
        plain.close()
