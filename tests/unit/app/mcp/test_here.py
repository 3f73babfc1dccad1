"""What of MCP servers cannot run on this machine: what was looked for, and where."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from plugbay.app.mcp._here import problems_here
from plugbay.mcp.serving import FederationSpec, McpSpec, MemberSpec, ServerSpec

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from plugbay.kernel import Problem


def found(folder: Path, known: McpSpec | None = None, **said: Any) -> list[Problem]:
    spec = McpSpec(servers=(ServerSpec(name="s", **said),))
    return list(problems_here(spec, known or McpSpec(), folder / "secrets"))


def test_a_command_is_looked_for_where_its_process_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "plain").write_text("#!/bin/sh\n")
    (folder / "ready").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(folder))
    assert found(tmp_path, command="ready") == []
    assert found(tmp_path, command=sys.executable) == []
    assert found(tmp_path, command="bin/ready", directory=str(tmp_path)) == []
    assert found(tmp_path, command="./ready", directory=str(folder)) == []
    (missing,) = found(tmp_path, command="missing")
    assert (missing.pointer, missing.found) == ("/mcp/servers/s/command", "missing")
    assert missing.expected == f"a program in PATH, which is {folder}"
    assert "install it" in missing.remedy
    (plain,) = found(tmp_path, command="plain")
    assert (plain.found, plain.remedy) == (str(folder / "plain"), f"chmod +x {folder / 'plain'}")
    assert "may not be executed" in plain.detail
    (whole,) = found(tmp_path, command="bin/none", directory=str(tmp_path))
    assert whole.expected == f"a program at {folder / 'none'}"
    (nowhere,) = found(tmp_path, command="ready", directory=str(tmp_path / "none"))
    assert nowhere.pointer == "/mcp/servers/s/directory"


def test_its_own_path_counts_and_a_secret_in_it_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "where").write_text("/quite/secret")
    (missing,) = found(tmp_path, command="python3", env={"PATH": "/nowhere"})
    assert missing.expected == "a program in PATH, which is /nowhere"
    (hidden,) = found(tmp_path, command="python3", env={"PATH": "${secret:where}"})
    assert hidden.expected == "a program in PATH, which is ${secret:where}"


def test_references_are_looked_up_one_by_one_and_only_for_what_is_new(tmp_path: Path) -> None:
    env = {"A": "${secret:none}", "B": "plain", "C/D": "${env:NOT_SET_AT_ALL}"}
    said = {"command": sys.executable, "env": env}
    pointers = [one.pointer for one in found(tmp_path, **said)]
    assert pointers == ["/mcp/servers/s/env/A", "/mcp/servers/s/env/C~1D"]
    known = McpSpec(servers=(ServerSpec(name="s", command=sys.executable, env=env),))
    assert found(tmp_path, known, **said) == []
    member = MemberSpec(url="http://127.0.0.1:9/", prefix="far", headers={"a": "${secret:none}"})
    joined = McpSpec(federations=(FederationSpec(name="f", members=(member,)),))
    (unset,) = problems_here(joined, McpSpec(), tmp_path)
    assert (unset.pointer, unset.found) == (
        "/mcp/federations/f/members/0/headers/a",
        "${secret:none}",
    )
    assert list(problems_here(joined, joined, tmp_path)) == []
