import asyncio
import json

import pytest

from plugbay.sdk import BodyTooLarge, Headers, Request, Response


def test_the_target_is_split_into_path_and_query():
    request = Request("GET", "/a%20b?x=1&y=a%26b&x=&flag")
    assert request.target == b"/a%20b?x=1&y=a%26b&x=&flag"
    assert request.path == "/a%20b"
    assert request.query == "x=1&y=a%26b&x=&flag"
    assert request.params == [("x", "1"), ("y", "a&b"), ("x", ""), ("flag", "")]
    assert Request("GET", b"/").params == []


def test_path_and_query_are_set_through_the_target():
    request = Request("GET", "/a?x=1")
    request.path = "/b"
    assert request.target == b"/b?x=1"
    request.query = "y=2"
    assert (request.target, request.path, request.query) == (b"/b?y=2", "/b", "y=2")
    request.query = ""
    assert (request.target, request.query) == (b"/b", "")
    request.path = "/c"
    assert request.target == b"/c"
    request.target = b"*"
    assert request.path == "*"


@pytest.mark.parametrize(
    "wrong", [b"", b"a", b"http://x/", b"/a b", b"/a\r\nx: y", b"/\0", b"/\x7f", b"/a\tb"]
)
def test_a_target_that_would_break_the_request_line_is_refused(wrong):
    request = Request("GET", "/a?x=1")
    with pytest.raises(ValueError, match="request target"):
        request.target = wrong
    assert (request.target, request.path) == (b"/a?x=1", "/a")


def test_a_path_or_query_cannot_inject_either():
    request = Request("GET", "/a")
    with pytest.raises(ValueError, match="request target"):
        request.path = "/a HTTP/1.1\r\nx: y"
    with pytest.raises(ValueError, match="request target"):
        request.query = "x=1 2"


def test_what_a_request_holds():
    headers = Headers.of({"a": "1"})
    request = Request(
        "PUT",
        "/",
        headers=headers,
        authority="example.com",
        scheme="https",
        client="192.0.2.1",
        id="r1",
        route="main",
        http_version="1.0",
    )
    assert request.headers is headers
    assert (request.authority, request.scheme, request.client) == (
        "example.com",
        "https",
        "192.0.2.1",
    )
    assert (request.id, request.route, request.http_version) == ("r1", "main", "1.0")
    assert repr(request) == "<Request PUT / [r1]>"
    assert repr(Request("GET", "/x?y")) == "<Request GET /x?y [-]>"
    assert Request("GET", "/", headers={"A": "1"}).headers == headers
    assert len(Request("GET", "/").headers) == 0


def test_state_is_one_dictionary_for_each_request():
    request = Request("GET", "/")
    request.state["user"] = "ada"
    assert request.state == {"user": "ada"}
    assert Request("GET", "/").state == {}


def test_the_body_is_read_through_the_reader():
    async def reader(limit):
        if limit < 4:
            raise BodyTooLarge(limit)
        return b"body"

    async def scenario():
        request = Request("POST", "/", reader=reader)
        assert await request.read(4) == b"body"
        with pytest.raises(BodyTooLarge, match="longer than 3 bytes") as caught:
            await request.read(3)
        assert caught.value.limit == 3
        assert await Request("GET", "/").read(0) == b""

    asyncio.run(scenario())


def test_responses_of_text_and_json():
    text = Response.text("caf\xe9", 201)
    assert (text.status, text.body) == (201, b"caf\xc3\xa9")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    data = Response.json({"a": [1, None]})
    assert (data.status, data.body) == (200, b'{"a":[1,null]}')
    assert data.headers["content-type"] == "application/json"
    assert repr(data) == "<Response 200>"


def test_responses_of_one_s_own():
    headers = Headers()
    assert Response(204, headers, None).headers is headers
    assert Response().body == b""
    assert Response(headers={"A": "1"}).headers["a"] == "1"


def test_problem_details():
    problem = Response.problem(403, "forbidden")
    assert problem.status == 403
    assert problem.headers["content-type"] == "application/problem+json"
    assert "retry-after" not in problem.headers
    assert json.loads(problem.body) == {"type": "about:blank", "title": "forbidden", "status": 403}
    more = Response.problem(
        429, "slow down", detail="10 a minute", type="https://example.com/p", limit=10
    )
    assert json.loads(more.body) == {
        "type": "https://example.com/p",
        "title": "slow down",
        "status": 429,
        "detail": "10 a minute",
        "limit": 10,
    }


@pytest.mark.parametrize(
    ("seconds", "field"), [(0, "0"), (0.2, "1"), (1, "1"), (1.01, "2"), (-5, "0"), (60.0, "60")]
)
def test_retry_after_is_rounded_up_to_whole_seconds(seconds, field):
    problem = Response.problem(429, "slow down", retry_after=seconds)
    assert problem.headers["retry-after"] == field
