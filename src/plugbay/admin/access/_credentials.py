"""All that a request can show to say who sends it."""

from __future__ import annotations

import http.cookies
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.admin.access._tokens import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.admin.access._grant import Method
    from plugbay.admin.access._jwt import AccessTokens
    from plugbay.admin.access._roles import Principal
    from plugbay.admin.access._sessions import Sessions
    from plugbay.admin.access._tokens import Tokens

COOKIE = "plugbay_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""With TLS: the prefix makes browsers refuse it from anybody but this very host (RFC 6265bis,
4.1.3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Sessions, personal tokens and access tokens."""

    sessions: Sessions
    tokens: Tokens
    access: AccessTokens
    cookie: str = COOKIE

    async def identify(self, headers: Mapping[str, str]) -> Principal | None:
        """Who asks. A token that is shown counts alone: a bad one does not fall back."""
        if authorization := headers.get("authorization"):
            scheme, _, secret = authorization.partition(" ")
            return self._bearer(secret.strip()) if scheme.lower() == "bearer" else None
        cookies: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except http.cookies.CookieError:
            return None
        morsel = cookies.get(self.cookie)
        return await self.sessions.find(morsel.value) if morsel else None

    def _bearer(self, secret: str) -> Principal | None:
        if secret.startswith(PREFIX):
            return self.tokens.find(secret)
        return self.access.find(secret)

    def method(self, principal: Principal) -> Method:
        """How whoever holds this credential has signed in."""
        match principal.kind:
            case "session":
                return self.sessions.method(principal.credential)
            case "token":
                return self.tokens.method(principal.credential)
            case "jwt":
                return self.access.method(principal.credential)
