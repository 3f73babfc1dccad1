"""A small OpenID provider that says whatever a test wants, over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class LooseProvider:
    """`claims`, `metadata` and `userinfo` replace what it would say; `answers` whole bodies."""

    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    published: list[RSAKey] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    challenge: str = ""
    nonce: str = ""

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.reply(self, "")

            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                outer.reply(self, self.rfile.read(size).decode())

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def authorize(self, location: str) -> str:
        """What a browser does there; returns the state that it brings back."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert query["code_challenge_method"] == "S256"
        self.challenge, self.nonce = query["code_challenge"], query["nonce"]
        return query["state"]

    def reply(self, handler: BaseHTTPRequestHandler, body: str) -> None:
        path = urlsplit(handler.path).path
        self.seen.append(path)
        status, content = self.answers.get(path) or self._content(handler, path, body)
        handler.send_response(status)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _content(self, handler: BaseHTTPRequestHandler, path: str, body: str) -> tuple[int, bytes]:
        found: Any
        match path:
            case "/.well-known/openid-configuration":
                found = {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize?tenant=a",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/jwks",
                    "userinfo_endpoint": f"{self.issuer}/userinfo",
                    **self.metadata,
                }
            case "/jwks":
                found = KeySet(self.published or [self.key]).as_dict(private=False)
            case "/userinfo":
                assert handler.headers["authorization"] == "Bearer at"
                found = self.userinfo
            case _:
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self.forms.append(form)
                self.headers.append(dict(handler.headers.items()))
                digest = hashlib.sha256(form["code_verifier"].encode()).digest()
                made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                if made != self.challenge:
                    return 400, b'{"error": "invalid_grant"}'
                found = {"access_token": "at", "token_type": "Bearer", "id_token": self.token()}
        return 200, json.dumps(found).encode()

    def token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "plugbay",
            "sub": "u-1",
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "preferred_username": "Vera.Q@example.com",
            "groups": ["ops"],
            **self.claims,
        }
        plain = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": str(self.key.kid)}
        return jwt.encode(header, plain, self.key, algorithms=["RS256"])
