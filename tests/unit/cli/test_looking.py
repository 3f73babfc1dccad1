"""Commands that only look, and what the shell completes."""

from __future__ import annotations

import pytest

from plugbay.cli._completion import known_plugins


def plugin(id: str = "hello", **more):
    slot = {
        "state": "active",
        "generation": 2,
        "in_flight": 3,
        "draining": 0,
        "calls": 10,
        "failures": 1,
        "watch": "good",
    }
    return {
        "id": id,
        "managed_by": "api",
        "state": "active",
        "desired": {
            "version": "1.0.0",
            "enabled": True,
            "config_version": 4,
            "config": {"greeting": "hi"},
            "routes": [],
            "on_error": "default",
            "drain": 60.0,
            "watch": 30.0,
        },
        "conditions": [
            {"type": "Converged", "status": "True", "reason": "AsWanted", "message": ""},
            {"type": "Serving", "status": "True", "reason": "Active", "message": ""},
        ],
        "workers": [
            {"worker": "worker-0", "revision": 5, "slot": slot},
            {"worker": "worker-1", "revision": 5, "slot": slot},
            {"worker": "worker-2", "revision": 5, "slot": None},
        ],
        "versions": ["1.0.0"],
    } | more


def test_match_tells_the_route_first(api, cli):
    considered = [
        {"route": "other", "chosen": False, "why": "path '/a' does not lie under '/b'"},
        {"route": "api", "chosen": True, "why": "the best match"},
    ]
    api.on("GET", "/match", {"route": "api", "allowed": [], "considered": considered})
    taken = cli("match", "https://h.test/a?b=1", "-X", "PUT")
    assert taken.code == 0
    assert taken.out.splitlines()[1].split()[:3] == ["→", "api", "the"]
    assert api.seen[-1].query == {"url": "https://h.test/a?b=1", "method": "PUT"}


def test_match_fails_where_no_route_takes_the_request(api, cli):
    api.on("GET", "/match", {"route": None, "allowed": [], "considered": []})
    outcome = cli("match", "/a")
    assert (outcome.code, outcome.out) == (1, "there is no route\n")


def test_list_adds_the_workers_up(api, cli):
    api.on("GET", "/plugins", {"items": [plugin()]})
    head, row = cli("plugin", "list").out.splitlines()
    wanted = "ID VERSION STATE CONFIG IN FLIGHT FAILURES ROUTES PROBLEM"
    assert " ".join(head.split()) == wanted
    assert row.split() == ["hello", "1.0.0", "active", "4", "6", "2", "all", "-"]
    assert cli("plugin", "list", "-o", "json").json == [plugin()]


def test_list_says_what_is_wrong_unless_it_is_meant_to_be_off(api, cli):
    wrong = [
        {"type": "Serving", "status": "False", "reason": "Failed", "message": "worker-0: boom"}
    ]
    off = plugin("off", conditions=wrong)
    off["desired"] |= {"enabled": False, "routes": ["a", "b"]}
    api.on("GET", "/plugins", {"items": [plugin("bad", conditions=wrong), off]})
    bad, disabled = cli("plugin", "list").out.splitlines()[1:]
    assert bad.endswith("Serving False: worker-0: boom")
    assert disabled.split()[-3:] == ["a,", "b", "-"]


def test_list_all_adds_what_waits(api, cli):
    api.on("GET", "/plugins", {"items": [plugin()]})
    waiting = [{"plugin": "hello", "version": "1.0.0"}, {"plugin": "upper", "version": "2.0"}]
    api.on("GET", "/artifacts", {"items": waiting})
    assert cli("plugin", "list", "--all").out.splitlines()[-1].split()[:3] == [
        "upper",
        "2.0",
        "uploaded",
    ]


def test_list_nothing(api, cli):
    api.on("GET", "/plugins", {"items": []})
    assert "no plugin is enabled" in cli("plugin", "list").out


def test_info(api, cli):
    api.on("GET", "/plugins/hello", plugin())
    out = cli("plugin", "info", "hello").out
    assert 'config          {"greeting": "hi"}' in out
    assert [line.split()[0] for line in out.splitlines()[-3:]] == [
        "worker-0",
        "worker-1",
        "worker-2",
    ]
    assert cli("plugin", "info", "hello", "-o", "json").json == plugin()


def test_logs(api, cli):
    line = {"time": 0.25, "level": "info", "message": "started", "worker": "worker-0"}
    api.on("GET", "/plugins/hello/logs", {"items": [line]})
    outcome = cli("plugin", "logs", "hello", "-n", "7")
    assert outcome.out == "1970-01-01T00:00:00.250+00:00 worker-0 info started\n"
    assert api.seen[0].query == {"limit": "7"}
    assert cli("plugin", "logs", "hello", "-o", "json").json == [line]


def test_an_id_is_completed(api):
    api.on("GET", "/plugins", {"items": [plugin("hello"), plugin("upper")]})
    assert known_plugins("h") == ["hello"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense://"])
def test_completion_is_silent_when_it_cannot(monkeypatch, url):
    monkeypatch.setenv("PLUGBAY_ADMIN_URL", url)
    assert known_plugins("") == []


def test_completion_is_silent_when_it_may_not(api):
    api.on("GET", "/plugins", {"title": "no"}, 401)
    assert known_plugins("") == []


def test_the_shell_is_answered(api, cli, monkeypatch):
    api.on("GET", "/plugins", {"items": [plugin("hello"), plugin("upper")]})
    for name, value in {
        "_PLUGBAY_COMPLETE": "complete_bash",
        "COMP_WORDS": "plugbay plugin reload u",
        "COMP_CWORD": "3",
    }.items():
        monkeypatch.setenv(name, value)
    assert cli().out.split() == ["upper"]
