"""Commands that change what runs: what they ask for, what they print, how they exit."""

from __future__ import annotations

import json

import pytest

from plugbay.artifacts import Declaration
from plugbay.cli._project import WheelRuntime, declared
from plugbay.cli._scaffold import scaffold

REJECTED = {
    "title": "The artifact was rejected",
    "detail": "x.whl: the layer static refused it",
    "errors": [
        {"layer": "static", "severity": "error", "detail": "imports ctypes", "pointer": "/a.py"},
        {"layer": "form", "severity": "warning", "detail": "no license"},
    ],
}


@pytest.fixture
def project(tmp_path):
    scaffold(tmp_path / "hello")
    return tmp_path / "hello"


@pytest.fixture
def uploads(api):
    """An artifact store that takes everything."""
    layer = {"name": "form", "result": "passed", "ms": 1.5, "findings": []}
    warning = {"severity": "warning", "detail": "slow", "pointer": "/x", "remedy": "make it quick"}
    artifact = {
        "digest": "ab" * 32,
        "plugin": "hello",
        "version": "0.1.0",
        "state": "validated",
        "filename": "plugbay_hello-0.1.0-py3-none-any.whl",
        "layers": [layer, layer | {"name": "trial", "findings": [warning]}],
    }
    api.on("POST", "/artifacts", artifact, 201)
    return artifact


def test_push_tells_what_each_layer_says(api, cli, project, uploads):
    outcome = cli("plugin", "push", project)
    assert outcome.code == 0
    assert "  trial: warning: /x: slow. make it quick" in outcome.out.splitlines()
    assert outcome.out.splitlines()[-1] == "hello 0.1.0  abababababababab  validated"
    assert api.seen[0].query == {"filename": "plugbay_hello-0.1.0-py3-none-any.whl"}
    assert cli("plugin", "push", project, "-o", "json").json == uploads


def test_a_new_plugin_is_put_without_if_match(api, cli, project, uploads, an_operation):
    api.on("PUT", "/plugins/hello", an_operation())
    outcome = cli("plugin", "push", project, "--enable", "--reason", "first")
    put = api.seen[-1]
    assert outcome.code == 0
    assert put.json == {"digest": "ab" * 32, "comment": "first"}
    assert put.query == {"reason": "first", "wait": "finished", "timeout": "90"}
    assert "if-match" not in put.headers


def test_one_that_is_there_is_put_with_its_tag_and_a_config(
    api, cli, project, uploads, an_operation
):
    api.on("GET", "/plugins/hello", {}, etag='"4"')
    api.on("PUT", "/plugins/hello", an_operation())
    config = project / "config.toml"
    config.write_text('greeting = "hi"')
    outcome = cli("plugin", "push", project, "--enable", "--config", config, "-o", "json")
    put = api.seen[-1]
    assert (put.headers["if-match"], put.json["config"]) == ('"4"', {"greeting": "hi"})
    assert outcome.json == {"artifact": uploads, "operation": an_operation()}


def test_a_wheel_is_pushed_as_it_is(api, cli, tmp_path, uploads):
    wheel = tmp_path / "x-1-py3-none-any.whl"
    wheel.write_bytes(b"anything")
    assert cli("plugin", "push", wheel).code == 0
    assert api.seen[0].body == b"anything"


def test_a_rejected_artifact_names_every_finding(api, cli, project):
    api.on("POST", "/artifacts", REJECTED, 422)
    outcome = cli("plugin", "push", project, "--enable")
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        "plugbay: The artifact was rejected: x.whl: the layer static refused it",
        "  static: /a.py: imports ctypes",
        "  form: no license",
    ]
    assert len(api.seen) == 1


def test_a_plugin_is_tried_with_the_configuration_that_comes_along(api, cli, tmp_path):
    config = {"plugins": [{"name": "a", "on": True, "none": None}], "text": "x\n\x7f", "n": 1.5}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "plugbay.toml").write_text('id = "a"\n')
    (tmp_path / "a.so").write_bytes(b"bytes")
    artifact = {"layers": [], "plugin": "a", "version": "1", "digest": "d", "state": "validated"}
    api.on("POST", "/artifacts", artifact, 200)
    pushed = cli(
        "plugin",
        "push",
        tmp_path / "a.so",
        "--manifest",
        tmp_path / "plugbay.toml",
        "--config",
        tmp_path / "config.json",
    )
    assert "it was here already; tried with --config now" in pushed.out
    (seen,) = api.seen
    assert b'name="config"\r\n\r\n' + json.dumps(config).encode() in seen.body
    assert b'name="manifest"\r\n\r\nid = "a"' in seen.body
    assert Declaration.read(declared(None, WheelRuntime.PROCESS)).runtime == "process"


def test_the_receipt_is_drawn(api, cli, an_operation):
    found = an_operation()
    report = {"worker": "worker-1", "plugin": "hello", "problems": ["stop raised: boom"]}
    found["receipt"] |= {"workers": [report], "why": "the watch window ended badly"}
    found["error"] = "taken back"
    api.on("POST", "/plugins/hello/reload", found)
    assert cli("plugin", "reload", "hello").out.splitlines() == [
        "operation op-7  enable  succeeded",
        "  taken back",
        "  hello: 1.0.0 → 1.1.0, config 1 → 2",
        "  in flight at the flip: 16   drained in: 3.1 ms   cancelled: 0   dropped: 0",
        "  worker-1: hello: stop raised: boom",
        "  the watch window ended badly",
    ]


def test_what_is_first_or_last_is_said_so(api, cli, an_operation):
    found = an_operation()
    found["receipt"]["changes"][0] |= {"old_version": "", "old_config_version": 0}
    api.on("POST", "/plugins/hello/enable", found)
    api.on("GET", "/plugins/hello", {}, etag='"1"')
    assert "  hello: nothing → 1.1.0" in cli("plugin", "enable", "hello").out.splitlines()


@pytest.mark.parametrize(
    ("state", "wait", "code", "said"),
    [
        ("succeeded", 90, 0, ""),
        ("draining", 90, 0, ""),
        ("failed", 90, 1, ""),
        ("rolled_back", 90, 1, ""),
        ("cancelled", 0, 1, ""),
        (
            "preparing",
            5,
            3,
            "plugbay: op-7 is still preparing after 5 s, and goes on; --wait longer\n",
        ),
        ("pending", 0, 0, ""),
    ],
)
def test_the_exit_code_is_how_it_went(api, cli, an_operation, state, wait, code, said):
    api.on("POST", "/plugins/hello/rollback", an_operation(state), 202)
    outcome = cli("plugin", "rollback", "hello", "--wait", wait, "-o", "json")
    assert (outcome.code, outcome.err, outcome.json["state"]) == (code, said, state)
    assert api.seen[0].query == ({"wait": "finished", "timeout": str(wait)} if wait else {})


def test_a_failed_change_is_its_problem(api, cli):
    problem = {"title": "The plugin could not be started", "detail": "boom", "operation": "op-9"}
    api.on("POST", "/plugins/hello/reload", problem, 502)
    outcome = cli("plugin", "reload", "hello")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines() == [
        "plugbay: The plugin could not be started: boom",
        "  operation op-9 has the details",
    ]


@pytest.mark.parametrize("force", [True, False])
def test_disable(api, cli, an_operation, force):
    api.on("POST", "/plugins/hello/disable", an_operation())
    assert cli("plugin", "disable", "hello", *(["--force"] if force else [])).code == 0
    assert api.seen[0].query.get("force") == ("true" if force else None)


@pytest.mark.parametrize("command", ["pin", "unpin"])
def test_pin_and_unpin(api, cli, an_operation, command):
    api.on("POST", f"/plugins/hello/{command}", an_operation())
    assert cli("plugin", command, "hello", "--reason", "release week").code == 0
    assert api.seen[0].query["reason"] == "release week"


def test_enable_another_version_is_a_put(api, cli, an_operation):
    api.on("GET", "/plugins/hello", {}, etag='"5"')
    api.on("PUT", "/plugins/hello", an_operation())
    cli("plugin", "enable", "hello", "--version", "1.1.0")
    assert api.seen[-1].json == {"version": "1.1.0", "comment": ""}
    assert api.seen[-1].headers["if-match"] == '"5"'


def test_enable_for_the_first_time_takes_the_highest_version(api, cli, an_operation):
    api.on("GET", "/plugins/hello/versions", {"items": [{"version": "2.0"}, {"version": "1.0"}]})
    api.on("PUT", "/plugins/hello", an_operation())
    assert cli("plugin", "enable", "hello").code == 0
    assert api.seen[-1].json["version"] == "2.0"
    assert "if-match" not in api.seen[-1].headers


def test_configure_changes_what_is_named(api, cli, an_operation):
    api.on("GET", "/plugins/hello/config", {"config": {"limit": 1, "window": 2.0}}, etag='"6"')
    api.on("PUT", "/plugins/hello/config", an_operation())
    assert cli("plugin", "configure", "hello", "limit=5", "--reason", "more").code == 0
    put = api.seen[-1]
    assert put.json == {"config": {"limit": 5, "window": 2.0}, "comment": "more"}
    assert put.headers["if-match"] == '"6"'


def test_configure_with_a_file_replaces_all(api, cli, tmp_path, an_operation):
    api.on("GET", "/plugins/hello/config", {"config": {"limit": 1, "window": 2.0}}, etag='"6"')
    api.on("PUT", "/plugins/hello/config", an_operation())
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"window": 9}))
    cli("plugin", "configure", "hello", "limit=7", "--file", file)
    assert api.seen[-1].json["config"] == {"window": 9, "limit": 7}
    outcome = cli("plugin", "configure", "hello")
    assert (outcome.code, "give key=value, or --file" in outcome.err) == (1, True)


STEPS = [
    {"op": "add", "kind": "routes", "name": "all", "differences": []},
    {
        "op": "replace",
        "kind": "plugins",
        "name": "hello",
        "differences": [{"pointer": "/version", "op": "replace", "old": "1.0", "new": "1.1"}],
    },
]


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "wanted.toml"
    path.write_text('[[routes]]\nname = "all"\nupstream = "sample"\n')
    return path


def test_plan_shows_the_differences_and_changes_nothing(api, cli, document):
    api.on("POST", "/plan", {"revision": 3, "steps": STEPS}, etag='"3"')
    outcome = cli("plan", document)
    assert outcome.code == 0
    assert [line.split() for line in outcome.out.splitlines()[1:]] == [
        ["add", "routes", "all", "-"],
        ["replace", "plugins", "hello", "/version:", "1.0", "→", "1.1"],
    ]
    assert api.seen[0].json == {"routes": [{"name": "all", "upstream": "sample"}]}
    assert cli("plan", document, "--check", "-o", "json").code == 1


def test_plan_with_nothing_to_do(api, cli, document):
    api.on("POST", "/plan", {"revision": 3, "steps": []}, etag='"3"')
    assert cli("plan", document, "--check").code == 0
    outcome = cli("apply", document)
    assert (outcome.code, outcome.out.startswith("nothing to do")) == (0, True)
    assert {seen.path for seen in api.seen} == {"/plan"}


def test_apply_shows_the_differences_and_makes_them(api, cli, document, an_operation):
    api.on("POST", "/plan", {"revision": 3, "steps": STEPS}, etag='"3"')
    api.on("POST", "/apply", an_operation(kind="batch"))
    outcome = cli("apply", document, "--reason", "release")
    assert outcome.code == 0
    assert "operation op-7  batch  succeeded" in outcome.out
    assert (api.seen[-1].path, api.seen[-1].query["reason"]) == ("/apply", "release")
    assert cli("apply", document, "-o", "json").json["id"] == "op-7"
