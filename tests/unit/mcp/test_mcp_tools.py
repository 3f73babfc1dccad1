"""`plugbay mcp tools`: what a server or a federation has, as a table and as JSON."""

import json
import subprocess
import sys

from unit.mcp.conftest import SERVER

COMMAND = [sys.executable, str(SERVER)]


def tools(*arguments, code=0):
    command = [sys.executable, "-m", "plugbay", "mcp", "tools", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    return done


def test_the_tools_of_a_command_as_a_table_and_as_json():
    lines = tools("--", *COMMAND).stdout.splitlines()
    assert lines[0].split() == ["NAME", "ARGUMENTS", "DESCRIPTION"]
    assert [line.split()[0] for line in lines[1:]] == ["echo", "exit", "secret"]
    found = json.loads(tools("-o", "json", "--", *COMMAND).stdout)
    assert [tool["name"] for tool in found["tools"]] == ["echo", "exit", "secret"]
    assert found["unavailable"] == {}


def test_the_tools_of_a_federation_and_which_member_is_down(tmp_path):
    config = tmp_path / "gateway.toml"
    arguments = json.dumps(COMMAND[1:])
    config.write_text(
        f'[[mcp.servers]]\nname = "one"\ncommand = "{COMMAND[0]}"\nargs = {arguments}\n'
        '[[mcp.servers]]\nname = "two"\ncommand = "no-such-command"\n'
        '[[mcp.federations]]\nname = "both"\n'
        'members = [{server = "one"}, {server = "two", prefix = "second"}]\n'
    )
    done = tools("--config", str(config), "--name", "both", code=1)
    assert "one__echo" in done.stdout
    assert "second is not available: there is no command 'no-such-command'" in done.stderr
    done = tools("--config", str(config), "--name", "three", code=1)
    assert "one, two, both" in done.stderr


def test_one_server_must_be_named():
    assert "name one server" in tools(code=1).stderr
