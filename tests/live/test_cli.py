"""The whole way of a plugin, by commands, on a real gateway."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from bench._gateway import wait_for

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def bump(project, old: str, new: str) -> None:
    """Make another version of a project."""
    for path in (project / "pyproject.toml", *project.glob("src/*/plugbay.toml")):
        path.write_text(path.read_text().replace(f'version = "{old}"', f'version = "{new}"'))


def receipt(text: str) -> dict[str, int]:
    """The counts of a printed receipt."""
    line = next(line for line in text.splitlines() if "in flight at the flip" in line)
    return {name: int(number) for name, number in re.findall(r"(cancelled|dropped): (\d+)", line)}


def test_the_way_of_a_plugin(plugbay):
    project = plugbay.folder / "my-filter"
    password = plugbay.gateway.data / "first-password"
    assert "login" in plugbay("plugin", "list", code=4)
    plugbay("login", "--password-file", password)
    assert "no plugin is enabled" in plugbay("plugin", "list")

    plugbay("plugin", "new", project)
    assert "validated" in plugbay("plugin", "check", project)
    pushed = plugbay("plugin", "push", project, "--enable", "--reason", "first")
    assert "my-filter: nothing → 0.1.0" in pushed
    assert plugbay.get()[1]["x-my-filter"] == "hello"
    assert plugbay.get("/forbidden")[0] == 403

    source = project / "src/plugbay_my_filter/__init__.py"
    source.write_text(source.read_text().replace('"hello"', '"hello again"'))
    bump(project, "0.1.0", "0.2.0")
    swapped = plugbay("plugin", "push", project, "--enable")
    assert "my-filter: 0.1.0 → 0.2.0" in swapped
    assert receipt(swapped)["dropped"] == 0
    assert plugbay.get()[1]["x-my-filter"] == "hello again"

    assert "0.2.0 → 0.1.0" in plugbay("plugin", "rollback", "my-filter")
    assert plugbay.get()[1]["x-my-filter"] == "hello"
    plugbay("plugin", "enable", "my-filter", "--version", "0.2.0")
    configured = plugbay("plugin", "configure", "my-filter", "greeting=good day")
    assert "config" in configured
    assert plugbay.get()[1]["x-my-filter"] == "good day"
    assert "/greeting" in plugbay("plugin", "configure", "my-filter", "greeting=3", code=1)
    assert plugbay.get()[1]["x-my-filter"] == "good day"

    info = json.loads(plugbay("plugin", "info", "my-filter", "-o", "json"))
    assert (info["state"], info["versions"]) == ("active", ["0.2.0", "0.1.0"])
    assert "my-filter" in plugbay("plugin", "list")
    plugbay("plugin", "disable", "my-filter")
    assert "x-my-filter" not in plugbay.get()[1]
    plugbay("plugin", "enable", "my-filter")
    assert plugbay.get()[1]["x-my-filter"] == "good day"
    assert "there is no plugin nope" in plugbay("plugin", "logs", "nope", code=1)


def test_a_swap_under_load_drops_nothing(plugbay):
    url = f"http://{plugbay.gateway.address}/json"
    command = [sys.executable, "-m", "plugbay", "bench", url, "-c", "8", "-d", "6", "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=plugbay.environment) as load:
        swaps = 0
        while load.poll() is None:
            assert receipt(plugbay("plugin", "reload", "my-filter")) == {
                "cancelled": 0,
                "dropped": 0,
            }
            swaps += 1
        found = json.loads(load.stdout.read())
    assert load.returncode == 0, found
    assert swaps >= 1
    assert found["statuses"] == {"200": found["requests"]}
    assert found["lost"] == 0


def test_a_version_that_does_not_start_never_serves(plugbay):
    project = plugbay.folder / "my-filter"
    bump(project, "0.2.0", "0.3.0")
    source = project / "src/plugbay_my_filter/__init__.py"
    start = '    async def start(self) -> None:\n        raise RuntimeError("no")\n\n'
    broken = source.read_text().replace("    def on_request", start + "    def on_request")
    source.write_text(broken)
    refused = plugbay("plugin", "push", project, "--enable", code=1)
    assert "RuntimeError" in refused
    assert plugbay.get()[1]["x-my-filter"] == "good day"


def test_what_a_plugin_logs(plugbay):
    project = plugbay.folder / "chatty"
    plugbay("plugin", "new", project)
    source = project / "src/plugbay_chatty/__init__.py"
    first = '        if request.path == "/forbidden"'
    log = '        self.host.log.warning("seen %s", request.path)\n'
    source.write_text(source.read_text().replace(first, log + first))
    plugbay("plugin", "push", project, "--enable")
    plugbay.get("/json?a=1")
    wait_for("the line", lambda: "warning seen /json" in plugbay("plugin", "logs", "chatty"))


def test_a_document_is_planned_and_applied(plugbay):
    document = plugbay.folder / "wanted.toml"
    document.write_text(
        '[[routes]]\nname = "brief"\nupstream = "sample"\npath = "/brief"\nstrip_prefix = true\n'
        '[[plugins]]\nid = "chatty"\nversion = "0.1.0"\nroutes = ["brief"]\n'
        'config = { greeting = "briefly" }\n'
    )
    planned = plugbay("plan", document, "--check", code=1)
    assert "add" in planned
    assert "/config" in planned
    assert "x-chatty" in plugbay.get()[1]
    assert "batch  succeeded" in plugbay("apply", document)
    assert plugbay.get("/brief/json")[1]["x-chatty"] == "briefly"
    assert "x-chatty" not in plugbay.get()[1]
    assert "nothing to do" in plugbay("plan", document, "--check")
    assert "nothing to do" in plugbay("apply", document)
    document.write_text('[[routes]]\nname = "all"\nupstream = "nowhere"\n')
    assert "gateway.toml" in plugbay("plan", document, code=1)


def test_bench_tells_a_refusal_and_a_dead_address(plugbay):
    url = f"http://{plugbay.gateway.address}"
    metrics = f"http://{plugbay.gateway.facts['metrics']}/metrics"

    def told() -> bool:
        # Workers hand in what they have counted once a second, be it late.
        out = plugbay("bench", f"{url}/json", "-d", "0.5", "--metrics", metrics, "-o", "json")
        return "my-filter" in json.loads(out)["microseconds_in_plugins"]

    wait_for("the plugin's time is told", told)
    assert '"403"' in plugbay("bench", f"{url}/forbidden", "-d", "0.5", code=1)
    plugbay("bench", "http://127.0.0.1:9/", "-d", "0.1", code=3)


def test_signing_out_ends_the_token(plugbay):
    assert plugbay("logout") == "signed out\n"
    assert "login" in plugbay("plugin", "list", code=4)
