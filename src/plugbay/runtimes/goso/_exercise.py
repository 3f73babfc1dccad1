"""A few harmless requests through a Go plugin, and a look at what it does with them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.kernel import Problem
from plugbay.runtimes._trial_requests import trial_requests, trial_response
from plugbay.runtimes.goso._call import PluginFailed, RunnerGone
from plugbay.runtimes.goso._exchange import Exchanges
from plugbay.runtimes.goso._instance import legs_of
from plugbay.runtimes.goso._within import within
from plugbay.sdk import Request, Timing

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from plugbay.runtimes.goso._process import Runner
    from plugbay.sdk import Manifest


class Exercise:
    """Asks an opened plugin; `problems` and `warnings` are what was found."""

    def __init__(self, runner: Runner, manifest: Manifest) -> None:
        legs, self._bodies = legs_of(manifest)
        self._runner, self._legs = runner, legs
        self._exchanges = Exchanges(
            lambda: runner.connection, "trial", legs=legs, bodies=self._bodies
        )
        self._seconds = max(1.0, manifest.limits.request_ms / 1000)
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    async def run(self) -> None:
        """Ask it, until it fails."""
        for request, body in trial_requests():
            asked = f"on {request.method} {request.path}"
            try:
                await within(self._seconds, self._one(request, body))
            except PluginFailed as error:
                self._failed(str(error), asked)
            except (RunnerGone, ValueError) as error:
                await self._ended(error, asked)
                return
            except TimeoutError:
                self._late(asked)
                return
            finally:
                self._exchanges.on_complete(request, None, Timing(0, 0, 0, 0, 0, "trial"))

    async def _one(self, request: Request, body: bytes) -> None:
        exchanges = self._exchanges
        answer = await exchanges.on_request(request)
        if answer is not None:
            await _drain(answer.body)
            return
        if self._bodies and body:
            await _drain(exchanges.request_body(request, _chunks(body)))
        if self._legs > 1:
            response = trial_response()
            answer = await exchanges.on_response(request, response)
            if answer is not None:
                await _drain(answer.body)
            elif self._bodies and request.method != "HEAD":
                await _drain(exchanges.response_body(request, response, _chunks(b"hello")))

    def _failed(self, said: str, asked: str) -> None:
        if said.startswith("panic: "):
            remedy = "look at the stack in the trial's output; a panic fails the request"
            self.problems.append(Problem("trial", f"it panicked {asked}", "no panic", said, remedy))
        elif "body-filter" in said:
            self.problems.append(Problem("/provides", said, "body-filter", "", "add it"))
        else:
            detail = f"it returned an error {asked}"
            self.warnings.append(Problem("trial", detail, "", said, ""))

    def _late(self, asked: str) -> None:
        self.problems.append(
            Problem(
                "trial",
                f"it did not come to an end {asked}",
                f"at most {self._seconds:g} s",
                "it still ran",
                "wait for nothing without a time limit: use the request's context",
            )
        )

    async def _ended(self, error: Exception, asked: str) -> None:
        child = self._runner.child
        await asyncio.wait((child.ended,), timeout=1.0)
        found = child.why() if child.ended.done() else str(error)
        remedy = "return an error instead of os.Exit, and recover in the goroutines that it starts"
        self.problems.append(
            Problem("trial", f"its process ended {asked}", "it goes on", found, remedy)
        )


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _drain(body: AsyncIterable[bytes] | bytes | None) -> None:
    if body is not None and not isinstance(body, bytes):
        async for _ in body:
            pass
