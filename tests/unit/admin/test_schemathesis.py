"""Every operation of the OpenAPI document, called with what the document allows and what it does
not: whatever comes, the answer is not a server error and not an undocumented form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from plugbay.admin import AdminOptions

from .conftest import BASE, V1, World

if TYPE_CHECKING:
    from httpx import Response
    from schemathesis import Case

EXAMPLES = 4
PLUGIN = "hello"
TOOLS = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def options() -> AdminOptions:
    return AdminOptions(
        requests_per_minute=1_000_000,
        uploads_per_minute=1_000_000,
        max_upload=1 << 20,
        max_wait=5.0,
        trace_key=b"k" * 32,
    )


class Caller:
    """Sends cases as an administrator whose token is made anew when a case has revoked it."""

    def __init__(self, world: World) -> None:
        self.world, self.headers = world, world.token()
        self.statuses: dict[str, set[int]] = {}
        self.wrong: list[str] = []

    def send(self, case: Case[Any], *, known: bool) -> None:
        """Send one; the path names the plugin that is there if `known`."""
        if known and "plugin" in (case.path_parameters or {}):
            case.path_parameters["plugin"] = PLUGIN
        said = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
        answer = self._send(said)
        if answer.status_code == 401:
            self.headers = self.world.token()
            answer = self._send(said)
        name = f"{case.method} {case.path}"
        self.statuses.setdefault(name, set()).add(answer.status_code)
        kind = answer.headers.get("content-type", "")
        if answer.status_code >= 500 and not self._plugin_failed(answer):
            self.wrong.append(f"{name} {said.url} {said.body!r}: {answer.text}")
        elif answer.status_code >= 400 and "json" not in kind:
            self.wrong.append(f"{name} {said.url}: {answer.status_code} as {kind}")

    def _send(self, said: requests.PreparedRequest) -> Response:
        given = {name.lower(): _text(value) for name, value in said.headers.items()}
        given.pop("cookie", None)
        fields = given | self.headers | {"host": "127.0.0.1"}
        sent = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
        body: Any = said.body
        assert said.method is not None
        assert said.url is not None
        return self.world.client.request(said.method, said.url, headers=sent, content=body)

    def _plugin_failed(self, answer: Response) -> bool:
        """Whether the plugin was asked to fail: a generated configuration may do so."""
        return "it would not" in answer.text


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def operations(document: dict[str, Any]) -> list[Any]:
    schema: Any = schemathesis.openapi.from_dict(document)
    return [found.ok() for found in schema.get_all_operations()]


def endless(operation: Any) -> bool:
    """Whether its answer is a stream of events."""
    raw = operation.definition.raw
    return any("text/event-stream" in one.get("content", {}) for one in raw["responses"].values())


def spoilable(operation: Any) -> bool:
    """Whether it takes something that can be wrong: any text is right in a path."""
    return bool(operation.body or operation.query)


def fuzz(caller: Caller, operation: Any, mode: GenerationMode) -> None:
    @TOOLS
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def send(case: Case[Any], known: bool) -> None:
        caller.send(case, known=known)

    send()


@pytest.mark.timeout(120)
def test_no_operation_answers_with_a_server_error(world: World) -> None:
    world.run(PLUGIN, watch=0.0)
    document = world.client.get(f"{V1}/openapi.json", headers=world.token()).json()
    caller = Caller(world)
    asked = [operation for operation in operations(document) if not endless(operation)]
    assert len(asked) > 80
    for operation in asked:
        fuzz(caller, operation, GenerationMode.POSITIVE)
        if spoilable(operation):
            fuzz(caller, operation, GenerationMode.NEGATIVE)
    assert not caller.wrong, "\n".join(caller.wrong)
    assert caller.statuses.keys() == {f"{one.method.upper()} {one.path}" for one in asked}
    reached = sum(min(statuses) < 300 for statuses in caller.statuses.values())
    assert reached > len(asked) / 3, caller.statuses
