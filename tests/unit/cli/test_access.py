"""Users, tokens, second factors and the audit log from the command line."""

from __future__ import annotations

import asyncio

import pytest

from plugbay.admin import AuditLog, AuditRecord
from plugbay.storage import Database


@pytest.fixture
def password(tmp_path):
    file = tmp_path / "password"
    file.write_text("a long password\n")
    return file


def test_users_are_added_changed_and_removed(api, cli, password):
    api.on("POST", "/users", {"name": "vera"}, 201)
    api.on("PATCH", "/users/vera", {"name": "vera"})
    api.on("PUT", "/users/vera/password", b"", 204)
    api.on("PUT", "/me/password", b"", 204)
    api.on("DELETE", "/users/vera", b"", 204)
    roles = ("--role", "operator", "--role", "publisher")
    assert cli("user", "add", "vera", *roles, "--password-file", password).code == 0
    wish = {"name": "vera", "roles": ["operator", "publisher"], "password": "a long password"}
    assert api.seen[-1].json == wish
    assert cli("user", "roles", "vera", "--role", "viewer").out == "vera: viewer\n"
    assert api.seen[-1].json == {"roles": ["viewer"]}
    cli("user", "disable", "vera")
    assert api.seen[-1].json == {"disabled": True}
    assert "again" in cli("user", "disable", "vera", "--undo").out
    assert api.seen[-1].json == {"disabled": False}
    cli("user", "passwd", "vera", "--password-file", password)
    assert api.seen[-1].json == {"password": "a long password"}
    cli("user", "passwd", "--current-file", password, "--password-file", password)
    assert api.seen[-1].json["current"] == "a long password"
    assert cli("user", "remove", "vera").out == "vera is removed\n"


def test_users_are_listed(api, cli):
    user = {"name": "vera", "roles": ["viewer"], "disabled": False, "second_factor": True}
    api.on("GET", "/users", {"items": [{**user, "source": "local"}]})
    assert "vera" in cli("user", "list").out
    assert '"second_factor": true' in cli("user", "list", "-o", "json").out


def test_a_token_is_printed_alone_so_that_a_script_can_take_it(api, cli):
    api.on("POST", "/tokens", {"token": {"id": "t1"}, "secret": "pb_s"}, 201)
    limits = ("--scope", "artifacts:write", "--plugin", "hello", "--days", "1")
    assert cli("token", "create", "ci", *limits).out == "pb_s\n"
    assert api.seen[-1].json == {
        "name": "ci",
        "scopes": ["artifacts:write"],
        "plugins": ["hello"],
        "expires_in": 86400.0,
    }
    assert '"secret"' in cli("token", "create", "ci", "--scope", "read", "-o", "json").out


def test_tokens_are_listed_and_revoked(api, cli):
    token = {"id": "t1", "name": "ci", "scopes": ["read"], "plugins": [], "expires": None}
    api.on("GET", "/tokens", {"items": [token, {**token, "expires": 86400.0}]})
    api.on("GET", "/users/vera/tokens", {"items": []})
    api.on("DELETE", "/users/vera/tokens/t1", b"", 204)
    said = cli("token", "list").out
    assert "never" in said
    assert "1970-01-02 00:00 UTC" in said
    assert "no token" in cli("token", "list", "--user", "vera").out
    assert '"id": "t1"' in cli("token", "list", "-o", "json").out
    assert cli("token", "revoke", "t1", "--user", "vera").out == "t1 is revoked\n"


@pytest.mark.parametrize("given", [True, False])
def test_a_second_factor_is_asked_for(api, cli, password, monkeypatch, given):
    monkeypatch.delenv("PLUGBAY_TOKEN", raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "222222")
    api.on("POST", "/sessions", {"challenge": "c"}, 202)
    session = "plugbay_session=s1; Path=/admin"
    api.on("POST", "/sessions/second-factor", {"csrf": "c1"}, 201, set_cookie=session)
    api.on("GET", "/me", {"permissions": ["read"]})
    api.on("POST", "/tokens", {"token": {"id": "t1"}, "secret": "pb_new"}, 201)
    api.on("DELETE", "/sessions/current", b"", 204)
    more = ("--code", "111111") if given else ()
    assert cli("login", "--password-file", password, *more).code == 0
    shown = next(seen for seen in api.seen if seen.path == "/sessions/second-factor")
    assert shown.json == {"challenge": "c", "code": "111111" if given else "222222"}


@pytest.fixture
def data(tmp_path):
    """The data directory of a gateway that has stopped."""
    path = tmp_path / "data"
    path.mkdir()
    db = Database.open(path / "plugbay.sqlite3")
    log = AuditLog(db, path)

    async def fill():
        for number in range(5):
            await log.append(AuditRecord(time=1.0 + number, act="enablePlugin", actor="vera"))

    asyncio.run(fill())
    log.anchor()
    db.close()
    return path


def touch(data, statement):
    db = Database.open(data / "plugbay.sqlite3")
    asyncio.run(db.write(lambda connection: connection.execute(statement)))
    db.close()


def test_a_stopped_gateways_log_is_verified(cli, data):
    said = cli("audit", "verify", "--data-dir", data)
    assert (said.code, said.out.startswith("intact: 5 records")) == (0, True)
    touch(data, "DELETE FROM audit WHERE sequence = 3")
    said = cli("audit", "verify", "--data-dir", data)
    assert (said.code, said.out) == (1, "missing: records 3 to 3 are gone\n")


def test_an_export_is_verified_against_an_anchor_kept_elsewhere(cli, data, tmp_path):
    export, anchor = tmp_path / "audit.jsonl", data / "audit-anchor.json"
    assert cli("audit", "export", "--data-dir", data, "--output", export).code == 0
    assert cli("audit", "verify", export, "--anchor", anchor).code == 0
    lines = export.read_bytes().splitlines(keepends=True)
    export.write_bytes(b"".join(lines[:-1]))
    said = cli("audit", "verify", export, "--anchor", anchor)
    assert (said.code, said.out) == (1, "truncated: records 5 to 5 were cut off the end\n")
    assert cli("audit", "verify", export, "--public-key", "xyz").code == 1
    assert cli("audit", "verify", tmp_path / "none").code == 1
    assert cli("audit", "verify", export, "--anchor", tmp_path / "none").code == 1


def test_a_running_gateway_is_asked(api, cli, tmp_path):
    finding = {"kind": "changed", "sequence": 2, "detail": "record 2 was changed"}
    verdict = {"intact": True, "records": 3, "sequence": 3, "hash": "ab", "findings": []}
    api.on("GET", "/audit/verification", verdict)
    api.on("GET", "/audit/verification", {**verdict, "intact": False, "findings": [finding]})
    api.on("GET", "/audit/export", b'{"sequence": 1}\n')
    assert cli("audit", "verify").code == 0
    assert cli("audit", "verify").out == "changed: record 2 was changed\n"
    file = tmp_path / "out"
    assert "written" in cli("audit", "export", "--output", file).out
    assert file.read_bytes() == b'{"sequence": 1}\n'
