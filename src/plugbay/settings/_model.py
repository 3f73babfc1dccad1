"""What `gateway.toml` may say. Every key has a default; an empty file is a valid one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

# Not only for type checkers: msgspec resolves these annotations when it converts.
from plugbay.gateway import ListenerLimits, RouteSpec, UpstreamSpec
from plugbay.isolation import ProcessPolicy
from plugbay.mcp.serving import McpSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """A listener's certificate chain and private key, as PEM files; read again when they change."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """Where clients connect. Port 0 takes a free port."""

    address: str = "127.0.0.1:8080"
    tls: TlsSettings | None = None
    http2: bool | None = None
    """HTTP/2 beside HTTP/1.1. Unset: with TLS, where clients choose by ALPN, and not without.
    `true` without TLS is for clients that know it beforehand (h2c with prior knowledge)."""

    @property
    def speaks_http2(self) -> bool:
        """Whether HTTP/2 is served here."""
        return self.tls is not None if self.http2 is None else self.http2


RoleName = Literal["viewer", "publisher", "operator", "security", "admin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """Sign-in by OpenID Connect. At the provider, register a client with the redirect URI
    `<public_url>/admin/api/v1/oidc/callback`."""

    issuer: str
    """Exactly as the provider's discovery document says it."""
    client_id: str
    client_secret_file: str = ""
    """Empty: a public client, which PKCE alone protects."""
    name: str = ""
    """What the button to sign in says; empty: the issuer."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    user_claim: str = "preferred_username"
    groups_claim: str = "groups"
    roles: dict[str, tuple[RoleName, ...]] = field(default_factory=dict[str, tuple[RoleName, ...]])
    """Which group has which roles here. Who is in none of these groups is not let in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """The admin API. `hosts` are the names it may be called by, besides its own address.
    Durations in seconds."""

    address: str = "127.0.0.1:8081"
    tls: TlsSettings | None = None
    """Without it the address speaks plain HTTP: keep that on the machine itself."""
    hosts: tuple[str, ...] = ()
    public_url: str = ""
    """What browsers call it, such as `https://admin.example.com`. With `https` the session's
    cookie is sent over TLS only, and tied to that name."""
    requests_per_minute: int = 600
    """Of one user, or of one network while nobody is signed in."""
    uploads_per_minute: int = 60
    session: float = 12 * 3600.0
    """After that long one must sign in again."""
    session_idle: float = 3600.0
    """A session that is not used for so long ends."""
    access_token: float = 600.0
    refresh_token: float = 7 * 86400.0
    second_factor: tuple[RoleName, ...] = ()
    """The roles that a password alone does not give: whoever has one must enrol a second factor."""
    oidc: OidcSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Prometheus metrics and the probes."""

    address: str = "127.0.0.1:9090"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSettings:
    """Limits of an upload. Durations in seconds."""

    max_bytes: int = 50 * 1024 * 1024
    go_versions: tuple[str, ...] = ()
    """The versions of Go that shared objects may be built with, such as `go1.26.6`; empty: all
    for which a runner can be had."""
    trial_seconds: float = 20.0
    trial_memory_mb: int = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class GridFsSettings:
    """A MongoDB database for artifacts, in the collections `plugins`, `<bucket>.files` and
    `<bucket>.chunks`. It needs the extra: `pip install 'plugbay[gridfs]'`."""

    uri: str = ""
    """Such as `mongodb://127.0.0.1:27017/`. If it has a password in it, give it by the
    environment instead: `PLUGBAY_ARTIFACTS__GRIDFS__URI`."""
    database: str = "odin"
    bucket: str = "fs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSettings:
    """Where the bytes of artifacts are kept. With `gridfs` the files of the data directory are
    a copy, from which plugins run also while the database is down."""

    store: Literal["files", "gridfs"] = "files"
    gridfs: GridFsSettings = field(default_factory=GridFsSettings)


SigningPolicy = Literal["off", "warn", "enforce"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Somebody as Sigstore knows him: an email address or a URI, and the issuer who says so."""

    identity: str
    issuer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherSettings:
    """Somebody who signs artifacts. `keys` are PEM files of his public keys, `roots` of the
    authorities that may certify one for him; `subjects` the common names they may certify, none:
    any; `identities` who he is in bundles of Sigstore."""

    name: str
    keys: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    identities: tuple[IdentitySettings, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRule:
    """What is asked of the plugins with these ids (`acme-*`) when one of these users uploads
    them; none: anybody. `publishers`: who must have signed; none: any that is known."""

    plugins: tuple[str, ...] = ("*",)
    users: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    policy: SigningPolicy = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSettings:
    """Signatures of artifacts. The first rule that applies counts, else `policy` does. `revoked`
    has key ids, certificate serial numbers in hex, and digests of artifacts. `sigstore_root` is
    the file `trusted_root.json` of a Sigstore instance, against which bundles are verified."""

    policy: SigningPolicy = "off"
    sigstore_root: str = ""
    publishers: tuple[PublisherSettings, ...] = ()
    rules: tuple[SigningRule, ...] = ()
    revoked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """What happens to plugins that misbehave. Durations in seconds."""

    block_threshold: float = 0.1
    """A plugin that keeps the event loop for longer is reported."""
    blocks_to_quarantine: int = 3
    """So many reports within `block_window` disable it; 0 only reports."""
    block_window: float = 60.0
    hang_seconds: float = 5.0
    """A worker whose event loop hangs for longer is ended and replaced, without the plugin."""
    health_interval: float = 10.0
    health_timeout: float = 2.0
    health_failures: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """`console` is for people, `json` for machines."""

    format: Literal["console", "json"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"
    access: bool = False
    """Log a line for each request."""
    access_query: bool = False
    """With the query in it, where secrets may stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """OpenTelemetry traces: a span for each request, with a child for each plugin's part in it.
    They need the extra: `pip install 'plugbay[otel]'`."""

    endpoint: str = ""
    """Where spans go by OTLP over HTTP: the whole URL, such as `http://127.0.0.1:4318/v1/traces`.
    Empty: nowhere, and a `traceparent` that comes in is passed on as it is."""
    ratio: float = 1.0
    """The share of the requests that is kept, of those that come without a trace; others follow
    the decision they came with."""
    service: str = "plugbay"
    """The attribute `service.name` of the spans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """Programs named `km-plugin-*` that the gateway takes in by itself, as if they were uploaded:
    they pass the same layers, signatures among them, and run only when they are enabled. Off by
    default, for a trial starts what somebody has put there. `interval` is in seconds."""

    enabled: bool = False
    directories: tuple[str, ...] = ("~/.km/plugins", "~/.plugbay/plugins")
    interval: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """Where the dependencies of wheels in processes of their own come from. Their environments
    are built when such a wheel is uploaded, or is to run so; never when the gateway starts."""

    index: str = ""
    """URL of a package index (PEP 503); empty: that which pip is configured for."""
    find_links: tuple[str, ...] = ()
    """Directories or pages with wheels."""
    offline: bool = False
    """Use no index at all."""
    build_seconds: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginEntry:
    """A plugin that the file manages. Its artifact must have been uploaded before."""

    id: str
    version: str
    enabled: bool = True
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    routes: tuple[str, ...] = ()
    on_error: Literal["open", "closed", "default"] = "default"
    drain: float = 60.0
    watch: float = 30.0
    runtime: Literal["default", "in-process", "process"] = "default"
    """Where a wheel runs: in the workers, in processes of its own, or as its manifest says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of `gateway.toml`. Routes, upstreams, plugins and MCP servers are desired state: a
    change of the file is applied while traffic flows. The rest is read at start."""

    data_dir: str = ".plugbay"
    workers: int = 1
    """0 is one for each core."""
    listeners: tuple[ListenerSettings, ...] = (ListenerSettings(),)
    limits: ListenerLimits = field(default_factory=ListenerLimits)
    admin: AdminSettings = field(default_factory=AdminSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    uploads: UploadSettings = field(default_factory=UploadSettings)
    artifacts: ArtifactSettings = field(default_factory=ArtifactSettings)
    signing: SigningSettings = field(default_factory=SigningSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    processes: ProcessPolicy = field(default_factory=ProcessPolicy)
    discovery: DiscoverySettings = field(default_factory=DiscoverySettings)
    environments: EnvironmentSettings = field(default_factory=EnvironmentSettings)
    log: LogSettings = field(default_factory=LogSettings)
    tracing: TraceSettings = field(default_factory=TraceSettings)
    mcp: McpSpec = field(default_factory=McpSpec)
    upstreams: tuple[UpstreamSpec, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    plugins: tuple[PluginEntry, ...] = ()
