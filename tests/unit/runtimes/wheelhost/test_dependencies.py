"""Two versions of a plugin whose dependencies contradict each other, side by side."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.wheelhouse import installed_wheel, locked, pure_wheel

from plugbay.artifacts.environments import Environments, Source, read_lock
from plugbay.kernel import LoadFailed
from plugbay.runtimes import PythonRuntime
from plugbay.runtimes.process import ProcessRuntime
from unit.runtimes.wheelhost.both import ask, request, running
from unit.runtimes.wheels import load_request, write_payload

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
import greet
import httptools
from plugbay.sdk import Plugin, RequestFilter, Response


class Hello(Plugin, RequestFilter):
    def on_request(self, request):
        seen = []

        class Seen:
            def on_header(self, name, value):
                seen.append(name.decode())

        httptools.HttpRequestParser(Seen()).feed_data(b"GET / HTTP/1.1\\r\\nA: b\\r\\n\\r\\n")
        return Response.json([greet.WORD, seen, httptools.__file__])
"""
METADATA = (
    "Metadata-Version: 2.4\nName: plugbay-hello\nVersion: 1.0.0\n"
    "Requires-Dist: greet\nRequires-Dist: httptools\n"
)


@pytest.fixture(scope="module")
def payloads(tmp_path_factory: pytest.TempPathFactory) -> tuple[Environments, list[Path]]:
    folder = tmp_path_factory.mktemp("wheels")
    native = installed_wheel(folder, "httptools")
    made: list[Path] = []
    for version in ("1.0", "2.0"):
        pure = pure_wheel(folder, "greet", version, f"WORD = {version!r}\n")
        files = {"plugbay_hello/plugbay.lock": locked(pure, native)}
        place = tmp_path_factory.mktemp("payload")
        made.append(write_payload(place, SOURCE, metadata=METADATA, files=files))
    source = Source(find_links=(str(folder),), offline=True)
    return Environments(tmp_path_factory.mktemp("data"), source), made


def test_each_has_its_own(payloads: tuple[Environments, list[Path]]) -> None:
    environments, (one, two) = payloads

    async def main() -> None:
        first = await environments.ensure(read_lock(one))
        second = await environments.ensure(read_lock(two))
        assert first != second
        async with (
            running(load_request(one), "process", first) as old,
            running(load_request(two), "process", second) as new,
        ):
            for instance, version, place in ((old, "1.0", first), (new, "2.0", second)):
                answer = await ask(instance, "on_request", request())
                assert b'"' + version.encode() + b'",["A"]' in answer.body
                assert str(place).encode() in answer.body  # not the gateway's own copy

    asyncio.run(main())


def test_in_process_it_is_refused_with_the_command_that_helps(
    payloads: tuple[Environments, list[Path]],
) -> None:
    with pytest.raises(LoadFailed, match="plugbay plugin enable hello --runtime process"):
        asyncio.run(PythonRuntime().load(load_request(payloads[1][0])))


def test_without_its_environment_it_is_not_loaded(
    payloads: tuple[Environments, list[Path]], tmp_path: Path
) -> None:
    for nowhere in (None, tmp_path / "gone"):
        asked = replace(load_request(payloads[1][0]), environment=nowhere)
        with pytest.raises(LoadFailed, match="environment is not there"):
            asyncio.run(ProcessRuntime().load(asked))
