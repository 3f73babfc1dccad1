"""Plugins in a wrapped session: loaded by their slots, swapped under calls, and told of the end."""

from __future__ import annotations

import itertools
import signal
import time

from unit.mcp.conftest import PATIENCE

QUIET = """
def on_message(self, message):
    '''Let it pass.'''
"""
STAMP = """
def on_tool_result(self, message):
    '''Say which version it is.'''
    result = dict(message.result)
    result["by"] = VERSION
    return message.replace(result=result)
"""


def test_a_plugin_changes_and_blocks(monitor, project):
    folder = project(
        "policy",
        """
async def on_tool_call(self, message):
    '''Refuse one, change another.'''
    await asyncio.sleep(0)
    if message.target == "exit":
        return Block("you may not", violation="tool")
    return message.with_arguments({"by": message.session.identity, **message.arguments})
""",
    )
    client = monitor("-p", str(folder), "--identity", "ann")
    client.call(1, text="a")
    assert client.line()["result"]["content"][0]["text"] == '{"by": "ann", "text": "a"}'
    client.call(2, "exit")
    answer = client.line()["result"]
    assert answer["isError"]
    assert answer["content"][0]["text"] == "you may not"
    assert client.end() == 0


def test_a_plugin_that_cannot_be_loaded_is_not_left_out(monitor, project, tmp_path):
    folder = project("broken", "oops: int = nonsense")
    client = monitor("-p", str(folder))
    assert client.end() == 1
    assert "NameError" in client.errors()
    assert client.line() is None
    client = monitor("-p", "no-such-plugin")
    assert client.end() == 1
    assert "there is no plugin 'no-such-plugin'" in client.errors()
    client = monitor("-p", str(folder), "--set", "other.key=1")
    assert client.end() == 1
    assert "other" in client.errors()


def test_waiting_hooks_do_not_hold_up_the_calls_behind_them(monitor, project, tmp_path):
    folder = project(
        "slow",
        """
async def on_tool_call(self, message):
    '''Think about some for long.'''
    while "until" in message.arguments and not os.path.exists(message.arguments["until"]):
        await asyncio.sleep(0.01)
""",
        extra="[mcp]\nhook_ms = 30000",
    )
    toml = folder / "src" / "slow" / "plugbay.toml"
    toml.write_text(toml.read_text().replace('\n[mcp]\nmode = "guard"\n', ""))
    client = monitor("-p", str(folder))
    decided = tmp_path / "decided"
    client.call(1, until=str(decided))
    client.call(2)
    assert client.line()["id"] == 2
    decided.touch()
    assert client.line()["id"] == 1
    assert client.end() == 0


def test_swaps_under_64_calls_lose_none(monitor, project):
    folder = project("stamp", STAMP.replace("VERSION", "0"))
    source = folder / "src" / "stamp" / "__init__.py"
    client = monitor("-v", "-p", str(folder))
    client.call(0)
    assert client.line()["result"]["by"] == 0
    expected, answered, versions = set(), [], set()
    for number in range(1, 13):
        for id in range(64):
            client.call(f"{number}.{id}", "later", seconds=0.002 * id)
            expected.add(f"{number}.{id}")
        source.write_text(source.read_text().replace(f'"by"] = {number - 1}', f'"by"] = {number}'))
        client.process.send_signal(signal.SIGUSR1)
        for _ in range(64):
            line = client.line()
            answered.append(line["id"])
            versions.add(line["result"]["by"])
        for again in itertools.count():  # the next swap is another one
            client.call(f"{number}: {again}")
            if client.line()["result"]["by"] == number:
                break
    assert len(answered) == len(set(answered))
    assert set(answered) == expected
    assert len(versions) > 3
    assert client.end() == 0
    assert "was swapped" in client.errors()


def test_files_are_followed_and_a_bad_change_harms_nothing(monitor, project):
    folder = project("stamp", STAMP.replace("VERSION", "1"))
    source = folder / "src" / "stamp" / "__init__.py"
    client = monitor("-v", "--follow", "-p", str(folder))

    def until(version):
        until = time.monotonic() + PATIENCE
        number = 0
        while time.monotonic() < until:
            number += 1
            client.call(number)
            if client.line()["result"]["by"] == version:
                return
        raise AssertionError(f"version {version} never came")

    until(1)
    good = source.read_text()
    source.write_text("this is no python")
    client.call("x")
    assert client.line()["result"]["by"] == 1
    source.write_text(good.replace('"by"] = 1', '"by"] = 2'))
    until(2)
    assert client.end() == 0


def test_sessions_standard_error_and_the_end_are_told(monitor, project):
    folder = project(
        "look",
        """
def on_session(self, session):
    '''A session begins.'''
    self.host.log.warning("session %s of %s", session.server, session.identity)

def on_stderr(self, session, line):
    '''A line.'''
    self.host.log.warning("said %s", line)

def on_exit(self, session, code):
    '''The end.'''
    self.host.log.warning("ended %d", code)
""",
        mode="observe",
    )
    client = monitor("-p", str(folder), "--identity", "ann", "--server", "x", server=("stderr",))
    client.call(1)
    assert client.line()["id"] == 1
    assert client.end() == 0
    said = client.errors()
    for text in ("session x of ann", "said listening", "ended 0", "\nlistening\n"):
        assert text in f"\n{said}", said


def test_a_refused_session_does_not_begin(monitor, project):
    folder = project(
        "door",
        """
def on_session(self, session):
    '''Refuse.'''
    return Block("closed today")
""",
    )
    client = monitor("-p", str(folder))
    assert client.end() == 1
    assert "closed today" in client.errors()


def test_a_wheel_is_a_plugin_too(monitor, project, tmp_path):
    from plugbay.artifacts import build_wheel

    folder = project("stamp", STAMP.replace("VERSION", "7"))
    (folder / "pyproject.toml").write_text('[project]\nname = "stamp"\nversion = "1.0.0"\n')
    client = monitor("-p", str(build_wheel(folder, tmp_path / "out")))
    client.call(1)
    assert client.line()["result"]["by"] == 7
    assert client.end() == 0


def test_two_plugins_of_one_name_are_refused(monitor, project):
    folder = project("twice", QUIET)
    client = monitor("-p", str(folder), "-p", str(folder))
    assert client.end() == 1
    assert "named twice" in client.errors()
