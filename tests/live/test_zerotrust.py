"""Sign-in and places on a whole gateway of two workers."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

PLUGINS = Path(__file__).parents[2] / "plugins" / "protection"
DATA = PLUGINS / "geo" / "tests" / "data"
LONDON, CHANGCHUN, MILTON = "81.2.69.160", "175.16.199.1", "216.160.83.57"
SECRET = "correct horse battery"  # noqa: S105 - of a test


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """Two workers behind a trusted proxy: the tests are it."""
    files = [str(DATA / f"GeoLite2-{name}-Test.mmdb") for name in ("City", "ASN")]
    with Gateway(workers=2, settings='[limits]\ntrusted_proxies = ["127.0.0.0/8"]\n') as made:
        for name, config in (
            (
                "geo",
                {"databases": files, "session_cookie": "ztna-session", "deny_countries": ["CN"]},
            ),
            ("zerotrust", {}),
        ):
            made.push(PLUGINS / name)
            config = {"mode": "enforce", **config}
            operation = made.put(name, version="1.0.0", config=config, watch=0.0)
            assert operation["state"] != "failed", operation["error"]
        yield made


def ask(
    gateway: Gateway, path: str = "/json", client: str = LONDON, cookie: str = "", body: Any = None
) -> tuple[int, dict[str, str]]:
    """One request over a connection of its own, so that either worker may get it."""
    fields = {"x-forwarded-for": client, "cookie": cookie, "content-type": "application/json"}
    connection = HTTPConnection(gateway.address, timeout=100)
    try:
        content = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, content, fields)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def sign_in(gateway: Gateway) -> tuple[int, dict[str, str]]:
    """A plugin that is too busy for a password says that one may come back in a second."""

    def answered() -> tuple[int, dict[str, str]] | None:
        found = ask(gateway, "/ztna/login", body={"username": "alice", "password": SECRET})
        return None if found[0] == 503 else found

    return wait_for("an answer to a sign-in", answered, every=1.0)


def test_a_session_is_one_in_all_workers_and_does_not_jump(gateway: Gateway) -> None:
    assert ask(gateway, client=CHANGCHUN)[0] == 403
    assert ask(gateway)[0] == 401
    user = {"user": "alice", "password": SECRET, "roles": ["staff"]}
    made = gateway.client.call("POST", "/plugins/zerotrust/operations/create", user).json
    assert made["failed"] == {}
    status, fields = sign_in(gateway)
    assert status == 200
    cookie = fields["set-cookie"].partition(";")[0]
    assert {ask(gateway, cookie=cookie)[0] for _ in range(20)} == {200}
    assert {ask(gateway, cookie=cookie, client=MILTON)[0] for _ in range(10)} == {403}
    assert {ask(gateway, cookie=cookie)[0] for _ in range(10)} == {200}
    assert ask(gateway, "/ztna/logout", cookie=cookie, body={})[0] == 200
    wait_for("the end", lambda: {ask(gateway, cookie=cookie)[0] for _ in range(10)} == {401})
