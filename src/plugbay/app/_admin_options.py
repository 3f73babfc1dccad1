"""From the settings to what the admin API is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from plugbay.admin import AdminOptions, OidcRule, Role
from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from plugbay.app._trace_key import RevokedTraces
    from plugbay.settings import AdminSettings, OidcSettings, Settings

CALLBACK = "/admin/api/v1/oidc/callback"
UNPACKED = "unpacked"
"""Below the data directory: what the workers load plugins from."""


def admin_options(settings: Settings, trace_key: bytes, revoked: RevokedTraces) -> AdminOptions:
    """Return the options of the admin API."""
    admin = settings.admin
    public = urlsplit(admin.public_url)
    named = (public.hostname,) if public.hostname else ()
    return AdminOptions(
        hosts=(*admin.hosts, *named),
        plugin_dir=str(Path(settings.data_dir).absolute() / UNPACKED),
        secure_cookies=public.scheme == "https" or admin.tls is not None,
        requests_per_minute=admin.requests_per_minute,
        uploads_per_minute=admin.uploads_per_minute,
        max_upload=settings.uploads.max_bytes,
        session=admin.session,
        session_idle=admin.session_idle,
        access_token=admin.access_token,
        refresh_token=admin.refresh_token,
        second_factor=tuple(Role(name) for name in admin.second_factor),
        oidc=None if admin.oidc is None else _oidc(admin, admin.oidc),
        trace_key=trace_key,
        revoke_traces=revoked.write,
    )


def _oidc(admin: AdminSettings, oidc: OidcSettings) -> OidcRule:
    file = oidc.client_secret_file
    return OidcRule(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        redirect_uri=admin.public_url.rstrip("/") + CALLBACK,
        name=oidc.name,
        secret=(lambda: _secret(Path(file))) if file else None,
        scopes=oidc.scopes,
        user_claim=oidc.user_claim,
        groups_claim=oidc.groups_claim,
        roles={group: tuple(map(Role, names)) for group, names in oidc.roles.items()},
    )


def _secret(path: Path) -> str:
    """Read anew each time, so that a rotated secret is seen. Raises `Unavailable`."""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Unavailable(f"the client's secret cannot be read: {error.strerror}") from error
