"""Pages as the server draws them: for whom, with which policy, and with nothing inline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from plugbay.admin import LogLine

from ...artifacts.wheels import MANIFEST

if TYPE_CHECKING:
    from ..conftest import World

PAGES = (
    "/admin",
    "/admin/plugins",
    "/admin/plugins/hello",
    "/admin/plugins/hello/versions",
    "/admin/plugins/hello/config",
    "/admin/plugins/hello/dependencies",
    "/admin/plugins/hello/logs",
    "/admin/upload",
    "/admin/routes",
    "/admin/routes/new",
    "/admin/upstreams/new",
    "/admin/mcp",
    "/admin/mcp/servers/new",
    "/admin/mcp/federations/new",
    "/admin/dependencies",
    "/admin/operations",
    "/admin/workers",
    "/admin/artifacts",
    "/admin/artifacts/components",
    "/admin/access",
    "/admin/access/admin",
    "/admin/account",
    "/admin/audit",
)
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)")
ELSEWHERE = re.compile(r"""(?:src|href|action)=["'](?:[a-z]+:)?//""")
POWERFUL = "a long enough pass phrase"


def person(world: World, *roles: str) -> None:
    """Sign in as somebody with these roles only."""
    wish = {"name": "somebody", "roles": list(roles), "password": POWERFUL}
    assert world.ask("POST", "/users", json=wish).status_code == 201
    world.sign_in("somebody", POWERFUL)


def text(world: World, path: str, status: int = 200) -> str:
    answer = world.client.get(path, follow_redirects=False)
    assert answer.status_code == status, answer.text
    return answer.text


def test_pages_lead_to_the_sign_in_and_the_api_does_not(world: World) -> None:
    for path in (*PAGES, "/", "/admin/nothing"):
        answer = world.client.get(path, follow_redirects=False)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/admin/sign-in"), path
    answer = world.client.get("/admin/audit?actor=x&next=5", follow_redirects=False)
    assert answer.headers["location"] == "/admin/sign-in?next=/admin/audit%3Factor%3Dx%26next%3D5"
    assert world.client.get("/admin/api/v1/plugins").status_code == 401
    assert world.client.post("/admin/plugins").status_code == 401


def test_the_sign_in_leads_only_to_our_own_pages(world: World) -> None:
    for wanted, following in (
        ("/admin/plugins?q=x", "/admin/plugins?q=x"),
        ("//evil.example", "/admin"),
        ("/admin//evil.example/", "/admin"),
        ("https://evil.example/admin/", "/admin"),
        ("/admin/\\evil.example", "/admin"),
        ("/admin/api/v1/me", "/admin"),
        ("/admin/sign-in", "/admin"),
    ):
        answer = world.client.get("/admin/sign-in", params={"next": wanted})
        assert f'data-next="{following}"' in answer.text, wanted
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    world.sign_in()
    answer = world.client.get("/admin/sign-in", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    answer = world.client.get("/admin/plugin-binaries/upload", follow_redirects=False)
    assert answer.headers["location"] == "/admin/upload"
    answer = world.client.get("/admin/plugin-binaries", follow_redirects=False)
    assert answer.headers["location"] == "/admin/plugins"


def test_every_page_has_a_strict_policy_and_keeps_to_it(world: World) -> None:
    world.run(config={"greeting": "hi"}, comment="first")
    world.sign_in()
    digest = world.artifacts.versions("hello")[0].digest
    operation = world.ask("GET", "/operations").json()["items"][0]["id"]
    for path in (*PAGES, f"/admin/artifacts/{digest}", f"/admin/operations/{operation}"):
        answer = world.client.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert not INLINE.search(answer.text), (path, INLINE.search(answer.text))
        assert not ELSEWHERE.search(answer.text), path
        assert '<html lang="en"' in answer.text
        assert answer.text.count("<h1") == 1, path


def test_static_files_are_kept_for_ever_by_their_content(world: World) -> None:
    page = text(world, "/admin/sign-in")
    for place in re.findall(r'(?:src|href)="(/admin/static/[^"]+)"', page):
        answer = world.client.get(place)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        old = world.client.get(re.sub(r"/static/[^/]+/", "/static/old/", place))
        assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
    for path in ("none.js", "../_assets.py", "%2e%2e/_assets.py"):
        assert world.client.get(f"/admin/static/old/{path}").status_code in (303, 401, 404)


def test_modules_import_only_what_is_there(world: World) -> None:
    found = world.client.get("/admin/sign-in").text
    base = re.search(r"/admin/static/[^/]+/", found)
    assert base
    todo, seen = (
        ["main.js", "sign-in.js", "upload.js", "config.js", "import.js", "forms.js"],
        set[str](),
    )
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        answer = world.client.get(base[0] + name)
        assert answer.status_code == 200, name
        assert answer.headers["content-type"].startswith("text/javascript")
        assert not re.search(r"\beval\(|innerHTML|outerHTML|insertAdjacentHTML", answer.text), name
        todo += re.findall(r'from "\./([^"]+)"', answer.text)
    assert len(seen) > 10


def test_what_plugins_and_people_write_is_only_text(world: World) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>'\""
    world.run(config={"greeting": evil}, comment=evil)
    world.logs.add("hello", LogLine(time=1.0, level="INFO", message=evil, fields={"x": evil}))
    world.sign_in()
    for path in ("/admin/plugins/hello/config", "/admin/plugins/hello/logs"):
        page = text(world, path)
        assert "alert(1)" in page
        assert "<script>alert" not in page
        assert "<img" not in page
    page = text(world, "/admin/plugins?q=%22%3E%3Cimg%3E")
    assert "<img" not in page
    assert "No plugin fits" in page


def test_whoever_may_not_is_offered_nothing_and_told_why(world: World) -> None:
    world.run()
    person(world, "viewer")
    page = text(world, "/admin/plugins/hello")
    assert "data-call" not in page
    assert 'data-plugin="hello"' in (listed := text(world, "/admin/plugins"))
    assert "your role may not change plugins" in listed
    assert "/admin/upload" not in listed
    assert "/admin/audit" not in listed
    refused = text(world, "/admin/upload", 403)
    assert "artifacts:write" in refused
    assert "<nav" in refused
    assert "audit:read" in text(world, "/admin/audit", 403)
    assert "Your role may not change configurations" in text(world, "/admin/plugins/hello/config")


def test_routes_and_access_are_offered_to_those_who_may(world: World) -> None:
    upstream = {"name": "api", "targets": [{"address": "127.0.0.1:9000"}]}
    world.change("PUT", "/upstreams/api", json=upstream)
    world.change("PUT", "/routes/all", json={"name": "all", "upstream": "api"})
    person(world, "viewer")
    page = text(world, "/admin/routes?q=AP")
    assert "127.0.0.1:9000" in page
    assert "data-call" not in page
    assert 'id="drop"' not in page
    assert "No route fits" in text(world, "/admin/routes?q=nothing")
    assert "Your role may not change it" in text(world, "/admin/routes/edit/all")
    assert "/admin/routes/edit/all" in text(world, "/admin/upstreams/edit/api")
    text(world, "/admin/routes/edit/none", 404)
    for path in ("/admin/routes/new", "/admin/upstreams/new", "/admin/access"):
        text(world, path, 403)
    assert "signed in as somebody" in text(world, "/admin/account")
    world.sign_in()
    assert "Routes lead to it, so it will be refused: all" in text(world, "/admin/routes")
    assert "somebody" in text(world, "/admin/access")


def test_a_search_for_components_says_what_it_cannot_read(world: World) -> None:
    world.upload()
    person(world, "viewer")
    assert "No stored plugin ships that" in text(world, "/admin/artifacts/components?name=none")
    page = text(world, "/admin/artifacts/components?name=none&version=%3Cmuch")
    assert 'role="alert"' in page


def test_somebody_who_publishes_uploads_and_does_not_enable(world: World) -> None:
    person(world, "publisher")
    page = text(world, "/admin/upload")
    assert 'data-may-enable=""' in page


def test_what_is_not_there_is_a_page_for_people(world: World) -> None:
    world.sign_in()
    for path in ("/admin/plugins/none", "/admin/nothing", "/admin/operations/none"):
        page = text(world, path, 404)
        assert "Back to the overview" in page
    assert "a parameter is not valid" in text(world, "/admin/operations?next=-1", 422)


def test_the_list_is_searched_and_filtered(world: World) -> None:
    world.run()
    world.run("other")
    world.change("POST", "/plugins/other/disable")
    world.sign_in()

    def rows(query: str) -> list[str]:
        page = text(world, f"/admin/plugins{query}")
        return re.findall(r'<tr id="plugin-([a-z]+)"', page)

    assert rows("") == ["hello", "other"]
    assert rows("?q=HELL") == ["hello"]
    assert rows("?q=python") == ["hello", "other"]
    assert rows("?state=disabled") == ["other"]
    assert rows("?q=hello&state=disabled") == []


def test_a_failed_change_stands_on_the_overview_and_in_its_operation(world: World) -> None:
    world.run()
    answer = world.ask(
        "PUT",
        "/plugins/hello/config?wait=finished",
        json={"config": {"fail": "start"}},
        headers=world.etag("/plugins/hello/config"),
    )
    assert answer.status_code >= 400
    world.sign_in()
    overview = text(world, "/admin")
    assert "it would not start" in overview
    operation = world.ask("GET", "/operations").json()["items"][0]["id"]
    page = text(world, f"/admin/operations/{operation}")
    assert "failed" in page
    assert "it would not start" in page
    listed = text(world, "/admin/operations")
    assert "configure hello" in listed


def test_workers_that_are_gone_or_behind_need_attention(world: World) -> None:
    world.run()
    world.sign_in()
    assert "all workers agree" in text(world, "/admin")
    world.cluster.coordinator.roster.sessions["w1"].revision = 0
    assert "worker w1" in text(world, "/admin")
    assert world.client.blocking_portal is not None
    for name in ("w0", "w1"):
        world.client.blocking_portal.call(world.cluster.end, name)
    assert "no worker is connected" in text(world, "/admin")
    assert "No worker is connected" in text(world, "/admin/workers")
    assert "unknown" in text(world, "/admin/plugins")


def test_a_rejected_upload_needs_attention(world: World) -> None:
    answer = world.ask(
        "POST", "/artifacts?filename=bad-1.0.0-py3-none-any.whl", content=b"PK nothing"
    )
    assert answer.status_code == 422
    world.sign_in()
    world.clock.now = world.artifacts.list()[0].uploaded_at + 5
    world.sign_in()
    assert "bad-1.0.0" in text(world, "/admin")
    digest = world.artifacts.list()[0].digest
    page = text(world, f"/admin/artifacts/{digest}")
    assert "failed" in page
    assert 'class="finding' in page


def test_dependents_are_named_where_something_is_switched_off(world: World) -> None:
    world.run("base")
    needs = MANIFEST.format(id="upon", version="1.0.0", package="plugbay_upon", name="plugbay_upon")
    world.upload(id="upon", manifest=needs + '\n[requires]\nbase = ">=1"\n')
    world.change("PUT", "/plugins/upon", json={"version": "1.0.0"})
    world.sign_in()
    page = text(world, "/admin/plugins/base")
    assert page.count('data-dependents="upon"') == 2
    assert 'data-plugin="base" data-dependents="upon"' in text(world, "/admin/plugins")
    graph = text(world, "/admin/plugins/base/dependencies")
    assert "<title>upon needs base</title>" in graph
    assert "<title>upon needs base</title>" in text(world, "/admin/dependencies")


def test_the_theme_of_the_cookie_is_drawn(world: World) -> None:
    world.client.cookies.set("plugbay_theme", "dark")
    assert '<html lang="en" data-theme="dark">' in text(world, "/admin/sign-in")
    world.client.cookies.set("plugbay_theme", '"><script>')
    assert '<html lang="en">' in text(world, "/admin/sign-in")


def test_the_series_of_a_plugin_are_given(world: World) -> None:
    world.run()
    assert world.ask("GET", "/plugins/hello/series").json() == {"items": []}
    assert world.ask("GET", "/plugins/none/series").status_code == 404


@pytest.mark.parametrize("outcome", ["", "allowed", "refused"])
def test_the_audit_page_shows_who_did_what(world: World, outcome: str) -> None:
    world.run()
    assert world.ask("POST", "/plugins/none/enable").status_code == 404
    world.sign_in()
    page = text(world, f"/admin/audit?outcome={outcome}")
    assert ("putPlugin" in page) == (outcome != "refused")
    assert ("refused 404" in page) == (outcome != "allowed")
    page = text(world, "/admin/audit?actor=nobody-else")
    assert "No record fits" in page
