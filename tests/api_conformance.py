"""Calls every operation of the OpenAPI document on a gateway, with what the document allows and
what it does not, and compares each answer with what the document says of it."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from schemathesis import Case

CHECKS = (
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
FALSE: tuple[dict[str, str], ...] = (
    {},
    {"authorization": "Bearer pb_false"},
    {"cookie": "plugbay_session=false"},
)
"""Credentials that are nobody's."""
TIMEOUT = 60.0


@dataclass(slots=True)
class Outcome:
    """What was answered, by operation, and what is wrong."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict[str, "Counter[int]"])
    wrong: list[str] = field(default_factory=list[str])

    @property
    def cases(self) -> int:
        """How many requests were sent."""
        return sum(found.total() for found in self.statuses.values())

    def count(self, operation: Any, status: int) -> None:
        """Note an answer."""
        self.statuses.setdefault(name_of(operation), Counter())[status] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A gateway. `tokens` are the administrator's: some calls revoke the one that they use.

    `known` are values that name something, by the start of the path and the parameter.
    """

    url: str
    tokens: Iterator[str]
    known: Mapping[tuple[str, str], str]
    session: requests.Session = field(default_factory=requests.Session)


def operations(document: Mapping[str, Any]) -> list[Any]:
    """Return the operations, those that take something away last."""
    schema: Any = schemathesis.openapi.from_dict(dict(document))
    found = [one.ok() for one in schema.get_all_operations()]
    return sorted(found, key=lambda one: one.method.upper() == "DELETE")


def name_of(operation: Any) -> str:
    """Return `METHOD path`."""
    return f"{operation.method.upper()} {operation.path}"


def call_all(target: Target, document: Mapping[str, Any], *, examples: int, number: int) -> Outcome:
    """Call each operation `examples` times as the document allows, and as often as it does not."""
    caller, outcome = _Caller(target), Outcome()
    for operation in operations(document):
        if _endless(operation):
            _open_stream(caller, operation, outcome)
            continue
        modes = [GenerationMode.POSITIVE]
        if operation.body or operation.query:  # in a path any text is right
            modes.append(GenerationMode.NEGATIVE)
        for mode in modes:
            send = _examine(caller, operation, outcome)
            _each_case(operation, mode, send, examples=examples, number=number)
    return outcome


def call_as_nobody(target: Target, document: Mapping[str, Any]) -> Outcome:
    """Call each operation that asks for somebody who is signed in, without and with false
    credentials: all must answer with 401."""
    outcome = Outcome()
    for operation in operations(document):
        if not operation.definition.raw["security"]:
            continue
        path = operation.path
        for (start, parameter), value in target.known.items():
            if path.startswith(start):
                path = path.replace(f"{{{parameter}}}", value)
        for headers in FALSE:
            answer = target.session.request(
                operation.method, target.url + path, headers=headers, json={}, timeout=TIMEOUT
            )
            outcome.count(operation, answer.status_code)
            if answer.status_code != 401 or "www-authenticate" not in answer.headers:
                outcome.wrong.append(f"{name_of(operation)} as nobody: {answer.status_code}")
    return outcome


class _Caller:
    """Sends as the administrator."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._token = next(target.tokens)

    def send(self, case: Case[Any]) -> requests.Response:
        answer = _send(self.target, case, self.headers)
        if answer.status_code == 401 and not self._known():
            self._token = next(self.target.tokens)
            answer = _send(self.target, case, self.headers)
        return answer

    def _known(self) -> bool:
        """Whether the token counts still: a case before may have revoked it."""
        url = f"{self.target.url}/admin/api/v1/whoami"
        return self.target.session.get(url, headers=self.headers, timeout=TIMEOUT).ok

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"}


def _each_case(
    operation: Any,
    mode: GenerationMode,
    send: Callable[[Case[Any], bool], None],
    *,
    examples: int,
    number: int,
) -> None:
    """Send as many cases; the flag is whether the path shall name something that is there."""
    rules = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )

    @rules
    @seed(number)
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def run(case: Case[Any], known: bool) -> None:
        send(case, known)

    run()


def _examine(
    caller: _Caller, operation: Any, outcome: Outcome
) -> Callable[[Case[Any], bool], None]:
    def send(case: Case[Any], known: bool) -> None:
        if known:
            _name(case, caller.target)
        answer = caller.send(case)
        outcome.count(operation, answer.status_code)
        told = f"{name_of(operation)} {answer.request.url} {answer.request.body!r:.300}"
        if answer.status_code >= 500:
            outcome.wrong.append(f"{told}: {answer.status_code} {answer.text[:500]}")
        else:
            outcome.wrong.extend(f"{told}: {problem}" for problem in _differences(case, answer))

    return send


def _differences(case: Case[Any], answer: requests.Response) -> Iterator[str]:
    """Yield in what an answer is not as the document says."""
    try:
        case.validate_response(answer, checks=list(CHECKS))
    except FailureGroup as group:
        for failure in group.exceptions:
            yield f"{answer.status_code} {failure} {answer.text[:300]}"


def _name(case: Case[Any], target: Target) -> None:
    """Put something that is there into the path."""
    for (start, parameter), value in target.known.items():
        if case.path.startswith(start) and parameter in (case.path_parameters or {}):
            case.path_parameters[parameter] = value


def _send(target: Target, case: Case[Any], headers: Mapping[str, str]) -> requests.Response:
    parts = case.as_transport_kwargs(base_url=target.url)
    given = parts.pop("headers", None) or {}
    parts.pop("cookies", None)
    target.session.cookies.clear()
    request = requests.Request(**parts, headers={**given, **headers})
    prepared = target.session.prepare_request(request)
    return target.session.send(prepared, timeout=TIMEOUT, allow_redirects=False)


def _endless(operation: Any) -> bool:
    """Whether its answer is a stream of events, and nothing else."""
    responses = operation.definition.raw["responses"]
    return any(set(one.get("content", ())) == {"text/event-stream"} for one in responses.values())


def _open_stream(caller: _Caller, operation: Any, outcome: Outcome) -> None:
    url = caller.target.url + operation.path
    with contextlib.closing(
        caller.target.session.get(url, headers=caller.headers, stream=True, timeout=TIMEOUT)
    ) as answer:
        outcome.count(operation, answer.status_code)
        kind = answer.headers.get("content-type", "")
        if answer.status_code != 200 or not kind.startswith("text/event-stream"):
            outcome.wrong.append(f"{name_of(operation)}: {answer.status_code} as {kind}")
