from dataclasses import dataclass, field

import pytest

from plugbay.kernel import Invalid
from plugbay.kernel._convert import convert


@dataclass(frozen=True, slots=True)
class Route:
    path: str = "/"


@dataclass(frozen=True, slots=True)
class Settings:
    port: int = 80
    routes: list[Route] = field(default_factory=list)


def test_plain_data_becomes_typed_values():
    raw = {"port": 81, "routes": [{"path": "/a"}, {}]}
    assert convert(raw, Settings, what="settings") == Settings(81, [Route("/a"), Route()])


def test_a_wrong_type_is_pointed_at():
    with pytest.raises(Invalid, match="settings: Expected `str`") as caught:
        convert({"routes": [{"path": 1}]}, Settings, what="settings")
    (problem,) = caught.value.problems
    assert problem.pointer == "/routes/0/path"


def test_every_unknown_key_is_named_at_any_depth():
    raw = {"prot": 1, "routes": [{}, {"a/b": 1}]}
    with pytest.raises(Invalid, match="unknown key") as caught:
        convert(raw, Settings, what="settings")
    found = {problem.pointer: problem.expected for problem in caught.value.problems}
    assert found == {"/prot": "one of port, routes", "/routes/1/a~1b": "one of path"}
