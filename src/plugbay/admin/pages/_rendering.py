"""From values to a page: templates, the frame around them, and the headers of HTML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from litestar import Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from plugbay.admin._problems import headers_of, problem_of
from plugbay.admin.pages._assets import Assets
from plugbay.admin.pages._format import FILTERS

if TYPE_CHECKING:
    from plugbay.admin._access import Principal
    from plugbay.admin._context import Context
    from plugbay.admin._http import Ask

THEME = "plugbay_theme"
THEMES = ("light", "dark")
RUNNING = 20
"""Among how many of the latest operations those that have not ended are counted."""
TEMPLATES = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of a page: nothing inline, nothing from elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around each page of somebody who is signed in."""

    user: str
    role: str
    csrf: str
    permissions: frozenset[str]
    node: str
    revision: int
    workers: int
    converged: int
    plugins: int
    mcp: int
    """MCP servers and federations."""
    running: int
    """Operations that have not ended."""

    def may(self, permission: str) -> bool:
        """Whether whoever asks has it: what they may not do, is not offered."""
        return permission in self.permissions


class Templates:
    """The templates and what they link to: the same for every request."""

    def __init__(self) -> None:
        self.assets = Assets()
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(FILTERS)
        own: dict[str, Any] = {"asset": self.assets.url}
        self._environment.globals.update(own)

    def render(self, template: str, **values: Any) -> str:
        """Return the text of a page."""
        return self._environment.get_template(template).render(**values)


class Pages:
    """Answers with pages."""

    def __init__(self, context: Context, templates: Templates) -> None:
        self.context, self._templates = context, templates

    @property
    def assets(self) -> Assets:
        """What the pages link to."""
        return self._templates.assets

    def show(
        self, request: Ask, template: str, *, section: str, status: int = 200, **values: Any
    ) -> Response[str]:
        """A page of somebody who is signed in; `section` is what the menu marks."""
        frame = self._frame(request.scope["user"])
        return self.bare(
            request, template, status=status, frame=frame, section=section, now=self.now, **values
        )

    def bare(
        self, request: Ask, template: str, *, status: int = 200, **values: Any
    ) -> Response[str]:
        """A page without the frame."""
        theme = request.cookies.get(THEME, "")
        text = self._templates.render(
            template, theme=theme if theme in THEMES else "", path=request.url.path, **values
        )
        headers = {"content-security-policy": POLICY}
        return Response(text, status_code=status, media_type="text/html", headers=headers)

    def fault(self, request: Ask, error: Exception, request_id: str) -> Response[str]:
        """A page that says what went wrong, and under which number the log has it."""
        problem = problem_of(error, instance=request.url.path, request_id=request_id)
        response = self.show(
            request, "fault.html", section="", status=problem.status, problem=problem
        )
        response.headers.update(headers_of(error))
        return response

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.context.services.clock.time()

    def _frame(self, who: Principal) -> Frame:
        control = self.context.services.control
        desired, links = control.desired, control.roster.sessions.values()
        return Frame(
            user=who.user,
            role=who.role,
            csrf=who.csrf,
            permissions=frozenset(map(str, who.permissions)),
            node=self.context.options.node,
            revision=desired.revision,
            workers=len(links),
            converged=sum(link.ready and link.revision == desired.revision for link in links),
            plugins=len(desired.plugins),
            mcp=len(desired.mcp_servers) + len(desired.mcp_federations),
            running=sum(not one.finished for one in control.ledger.latest(limit=RUNNING)),
        )


Show = NamedDependency[SkipValidation[Pages]]
"""The renderer, in the signature of a route."""
