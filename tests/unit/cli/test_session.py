"""Signing in and out, and where the token is kept."""

from __future__ import annotations

import json
import stat

import pytest

from plugbay.cli._session import Kept, Target, credentials_path, keep_token, kept_token


@pytest.fixture
def signed_in(api, cli, tmp_path, monkeypatch):
    """A gateway that lets `ops` in."""
    monkeypatch.delenv("PLUGBAY_TOKEN")
    api.on("POST", "/sessions", {"csrf": "c1"}, 201, set_cookie="plugbay_session=s1; Path=/admin")
    api.on("GET", "/me", {"permissions": ["read", "self"]})
    api.on("POST", "/tokens", {"token": {"id": "t1"}, "secret": "pb_new"}, 201)
    api.on("DELETE", "/sessions/current", b"", 204)
    password = tmp_path / "password"
    password.write_text("hunter22\n")
    return cli("login", "--user", "ops", "--password-file", password, "--days", "1")


def test_login_keeps_a_token_for_this_gateway(api, signed_in):
    assert signed_in.code == 0
    assert "signed in as ops" in signed_in.out
    steps = [(seen.method, seen.path) for seen in api.seen]
    assert steps == [
        ("POST", "/sessions"),
        ("GET", "/me"),
        ("POST", "/tokens"),
        ("DELETE", "/sessions/current"),
    ]
    assert api.seen[0].json == {"username": "ops", "password": "hunter22"}
    wish = api.seen[2]
    assert (wish.headers["cookie"], wish.headers["x-csrf-token"]) == ("plugbay_session=s1", "c1")
    assert (wish.json["scopes"], wish.json["expires_in"]) == (["read", "self"], 86400.0)
    assert kept_token(api.url + "/") == Kept("t1", "pb_new")
    assert stat.S_IMODE(credentials_path().stat().st_mode) == 0o600


def test_the_kept_token_is_shown_and_another_one_comes_first(api, cli, signed_in):
    api.on("GET", "/plugins", {"items": []})
    cli("plugin", "list")
    cli("plugin", "list", "--token", "pb_other")
    shown = [seen.headers["authorization"] for seen in api.seen[-2:]]
    assert shown == ["Bearer pb_new", "Bearer pb_other"]


@pytest.mark.parametrize("status", [204, 401, 404])
def test_logout_revokes_it(api, cli, signed_in, status):
    api.on("DELETE", "/tokens/t1", b"" if status == 204 else {"title": "gone"}, status)
    assert cli("logout").out == "signed out\n"
    assert kept_token(api.url) == Kept()
    assert cli("logout").out == f"not signed in at {api.url}\n"


def test_a_logout_that_fails_keeps_it(api, cli, signed_in):
    api.on("DELETE", "/tokens/t1", {"title": "Not available now"}, 503)
    assert cli("logout").code == 1
    assert kept_token(api.url) == Kept("t1", "pb_new")


def test_a_wrong_password_keeps_nothing(api, cli, tmp_path):
    api.on("POST", "/sessions", {"title": "Sign in first", "detail": "wrong"}, 401)
    password = tmp_path / "password"
    password.write_text("x")
    outcome = cli("login", "--password-file", password)
    assert (outcome.code, outcome.out) == (4, "")
    assert not credentials_path().exists()


def test_a_password_file_that_is_not_there(api, cli, tmp_path):
    outcome = cli("login", "--password-file", tmp_path / "no")
    assert outcome.code == 1
    assert "expected a password, found nothing there" in outcome.err


def test_a_password_can_be_typed(api, cli, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda: "typed")
    api.on("POST", "/sessions", {"title": "no"}, 401)
    cli("login")
    assert api.seen[0].json == {"username": "admin", "password": "typed"}


@pytest.mark.parametrize("content", ["", "[]", '{"http://a": "old form"}'])
def test_a_damaged_file_is_as_if_there_were_none(api, content):
    path = credentials_path()
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert kept_token("http://a") == Kept()
    keep_token("http://a/", Kept("1", "pb"))
    assert json.loads(path.read_text()) == {"http://a": {"id": "1", "secret": "pb"}}


def test_the_home_directory_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert credentials_path() == tmp_path / ".config" / "plugbay" / "credentials.json"
    assert Target("http://h", "").client().token == ""
