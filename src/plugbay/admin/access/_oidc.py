"""Sign-in by OpenID Connect: authorization code with PKCE (RFC 7636), state and nonce.

Roles come from the groups that the provider tells, by a table in the settings. Who is in none
of those groups is not let in.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

from plugbay.kernel import Forbidden, Invalid, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plugbay.admin.access._oidc_provider import Provider
    from plugbay.admin.access._roles import Role
    from plugbay.admin.access._users import User, Users
    from plugbay.kernel import Clock

LEEWAY = 60.0
"""Seconds that clocks may differ."""
PENDING_SECONDS = 600.0
MOST_PENDING = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcRule:
    """How to sign in at an issuer, and what that gives. `roles` maps groups to roles."""

    issuer: str
    client_id: str
    redirect_uri: str
    name: str = ""
    secret: Callable[[], str] | None = None
    """Reads the client's secret; None: a public client, which PKCE alone protects."""
    scopes: Sequence[str] = ("openid", "profile", "email")
    user_claim: str = "preferred_username"
    groups_claim: str = "groups"
    roles: Mapping[str, Sequence[Role]] = field(default_factory=dict[str, "Sequence[Role]"])


@dataclass(frozen=True, slots=True)
class _Pending:
    verifier: str
    nonce: str
    binding: str
    following: str
    expires: float


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and what to bind it with in a cookie."""

    location: str
    binding: str


class Oidc:
    """Sends browsers to the provider and takes them back."""

    def __init__(self, rule: OidcRule, provider: Provider, users: Users, clock: Clock) -> None:
        self._rule, self._provider, self._users, self._clock = rule, provider, users, clock
        self._pending: OrderedDict[str, _Pending] = OrderedDict()

    @property
    def name(self) -> str:
        """What the button says."""
        return self._rule.name or self._rule.issuer

    async def begin(self, following: str) -> Begun:
        """Begin a sign-in that leads to the page `following`. Raises `Unavailable`."""
        metadata = await self._provider.metadata()
        state, nonce, binding = (secrets.token_urlsafe(24) for _ in range(3))
        verifier = secrets.token_urlsafe(48)
        self._pending[state] = _Pending(
            verifier, nonce, _hashed(binding), following, self._clock.time() + PENDING_SECONDS
        )
        if len(self._pending) > MOST_PENDING:
            self._pending.popitem(last=False)
        query = {
            "response_type": "code",
            "client_id": self._rule.client_id,
            "redirect_uri": self._rule.redirect_uri,
            "scope": " ".join(self._rule.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": _hashed(verifier),
            "code_challenge_method": "S256",
        }
        sign = "&" if "?" in metadata.authorization_endpoint else "?"
        return Begun(f"{metadata.authorization_endpoint}{sign}{urlencode(query)}", binding)

    async def end(self, state: str, code: str, binding: str, error: str) -> tuple[User, str]:
        """Take the browser back: return who has signed in, and the page to go on with.

        Raises `Unauthenticated`, `Forbidden` for who has no role here, `Unavailable`.
        """
        pending = self._pending.pop(state, None)
        if pending is None or pending.expires <= self._clock.time():
            raise Unauthenticated("this sign-in has expired, or never was: begin again")
        if not secrets.compare_digest(_hashed(binding), pending.binding):
            raise Unauthenticated("this sign-in was begun in another browser: begin again")
        if error or not code:
            raise Unauthenticated(f"the provider has refused: {error[:100] or 'no code'}")
        tokens = await self._exchange(code, pending.verifier)
        claims = await self._provider.claims(str(tokens.get("id_token", "")))
        self._check(claims, pending.nonce)
        if self._rule.groups_claim not in claims:
            claims = {**await self._userinfo(tokens, str(claims["sub"])), **claims}
        return await self._admit(claims), pending.following

    async def _exchange(self, code: str, verifier: str) -> dict[str, Any]:
        rule, headers = self._rule, dict[str, str]()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": rule.redirect_uri,
            "code_verifier": verifier,
        }
        if rule.secret is None:
            form["client_id"] = rule.client_id
        else:  # RFC 6749, 2.3.1: both are encoded as in a form first
            pair = f"{quote(rule.client_id, safe='')}:{quote(rule.secret(), safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        endpoint = (await self._provider.metadata()).token_endpoint
        found: object = await self._provider.outbound.post(endpoint, form, headers)
        if not isinstance(found, dict):
            raise Unavailable(f"{rule.issuer}: its tokens cannot be read")
        return found  # pyright: ignore[reportUnknownVariableType] - JSON

    def _check(self, claims: Mapping[str, Any], nonce: str) -> None:
        """OpenID Connect Core 1.0, 3.1.3.7. Raises `Unauthenticated`."""
        now, audiences = self._clock.time(), _texts(claims.get("aud"))
        shown = str(claims.get("nonce", "")).encode()
        expires, issued = claims.get("exp"), claims.get("iat")
        wrong = {
            "iss": claims.get("iss") != self._rule.issuer,
            "aud": self._rule.client_id not in audiences,
            "azp": claims.get("azp", self._rule.client_id) != self._rule.client_id
            or (len(audiences) > 1 and "azp" not in claims),
            "exp": not isinstance(expires, (int, float)) or expires + LEEWAY <= now,
            "iat": not isinstance(issued, (int, float)) or issued - LEEWAY > now,
            "nonce": not secrets.compare_digest(shown, nonce.encode()),
            "sub": not isinstance(claims.get("sub"), str) or not claims["sub"],
        }
        if bad := sorted(name for name, is_wrong in wrong.items() if is_wrong):
            raise Unauthenticated(f"the ID token is not for this sign-in: {', '.join(bad)}")

    async def _userinfo(self, tokens: Mapping[str, Any], subject: str) -> dict[str, Any]:
        endpoint = (await self._provider.metadata()).userinfo_endpoint
        if not endpoint:
            return {}
        token = str(tokens.get("access_token", ""))
        found: Any = await self._provider.outbound.get(endpoint, token=token)
        if not isinstance(found, dict) or found.get("sub") != subject:  # pyright: ignore[reportUnknownMemberType] - JSON
            raise Unauthenticated("the provider tells of another user than it has signed in")
        return found  # pyright: ignore[reportUnknownVariableType] - JSON

    async def _admit(self, claims: Mapping[str, Any]) -> User:
        groups = _texts(claims.get(self._rule.groups_claim))
        roles = {role for group in groups for role in self._rule.roles.get(group, ())}
        name = _name(str(claims.get(self._rule.user_claim) or claims["sub"]))
        if not roles:
            raise Forbidden(f"{name} is in no group that has a role here")
        try:
            return await self._users.admit(
                self._rule.issuer, str(claims["sub"]), name, sorted(roles)
            )
        except Invalid as error:
            raise Forbidden(f"{name!r} cannot be the name of a user here: {error.detail}") from None


def _hashed(text: str) -> str:
    """S256 of RFC 7636, 4.2."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _texts(claim: object) -> list[str]:
    """A claim that is one text or a list of them."""
    if isinstance(claim, list):
        return [one for one in cast("list[object]", claim) if isinstance(one, str)]
    return [claim] if isinstance(claim, str) else []


def _name(claim: str) -> str:
    """A user name of ours, made of what the provider calls somebody."""
    return re.sub(r"[^a-z0-9._-]+", "-", claim.lower()).strip("-._")[:63]
