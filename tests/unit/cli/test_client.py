"""The client of the admin API, over real HTTP."""

from __future__ import annotations

import socket
import threading

import pytest

from plugbay.cli._client import AdminClient, ApiError, Unreachable, segment
from plugbay.kernel import Invalid


def test_a_call_carries_token_query_and_json(api):
    api.on("POST", "/x", {"ok": True}, etag='"3"')
    client = AdminClient(api.url, "pb_secret")
    reply = client.call("POST", "/x", {"a": 1}, query={"q": "a b", "none": None})
    assert (reply.status, reply.json, reply.headers["etag"]) == (200, {"ok": True}, '"3"')
    seen = api.seen[0]
    assert (seen.json, seen.query) == ({"a": 1}, {"q": "a b"})
    assert seen.headers["authorization"] == "Bearer pb_secret"
    assert seen.headers["content-type"] == "application/json"


def test_without_a_token_nothing_is_shown(api):
    api.on("GET", "/x", b"")
    assert AdminClient(api.url.removeprefix("http://")).call("GET", "/x").json is None
    assert "authorization" not in api.seen[0].headers


def test_a_query_in_the_path_is_kept(api):
    api.on("GET", "/x", 1)
    AdminClient(api.url).call("GET", "/x?a=1", query={"b": 2})
    assert api.seen[0].query == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"title": "Conflict", "detail": "in use"}, "Conflict: in use"),
        ({"title": "Conflict"}, "Conflict"),
        (b"<html>bad gateway</html>", "refused: <html>bad gateway</html>"),
        ([1], "refused: [1]"),
    ],
)
def test_a_refusal_is_its_problem(api, content, said):
    api.on("GET", "/x", content, status=409)
    with pytest.raises(ApiError) as caught:
        AdminClient(api.url).call("GET", "/x")
    assert (str(caught.value), caught.value.status) == (said, 409)


def test_items_follow_the_pages(api):
    api.on("GET", "/things", {"items": [{"n": 1}], "next": "1"})
    api.on("GET", "/things", {"items": [{"n": 2}], "next": None})
    found = list(AdminClient(api.url).items("/things", state="good"))
    assert found == [{"n": 1}, {"n": 2}]
    assert [seen.query for seen in api.seen] == [{"state": "good"}, {"state": "good", "next": "1"}]


def test_a_tag_is_none_only_for_what_is_not_there(api):
    api.on("GET", "/there", {}, etag='"9"')
    api.on("GET", "/shut", {"title": "no"}, status=403)
    client = AdminClient(api.url)
    assert client.tag("/there") == '"9"'
    assert client.tag("/nowhere") is None
    with pytest.raises(ApiError):
        client.tag("/shut")


def test_an_upload_streams_the_file_and_tells_how_far_it_is(api, tmp_path):
    file = tmp_path / "a.whl"
    file.write_bytes(bytes(200_000))
    api.on("POST", "/artifacts", {"digest": "d"}, status=201)
    told: list[int] = []
    reply = AdminClient(api.url).upload(file, progress=told.append)
    assert reply.json == {"digest": "d"}
    assert api.seen[0].query == {"filename": "a.whl"}
    assert len(api.seen[0].body) == 200_000
    assert told[-1] == 200_000
    assert told == sorted(told)
    assert len(told) > 2
    AdminClient(api.url).upload(file)


def test_nobody_listens():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable, match="is `plugbay serve` running"):
        AdminClient(f"http://127.0.0.1:{port}").call("GET", "/x")


def one_shot(answer: bytes, *, read: bool = True) -> tuple[str, threading.Thread]:
    """Answer one connection with these bytes and close it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            if read:
                connection.recv(65536)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", thread


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"])
def test_an_answer_that_is_cut_is_no_answer(answer):
    url, thread = one_shot(answer)
    with pytest.raises(Unreachable, match="broke off"):
        AdminClient(url).call("GET", "/x")
    thread.join()


def test_a_refusal_before_the_uploads_end_is_read(tmp_path):
    file = tmp_path / "big.whl"
    file.write_bytes(bytes(20_000_000))
    problem = b'{"title": "Too large", "detail": "at most 1 byte"}'
    head = b"HTTP/1.1 413 Too Large\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
        problem
    )
    url, thread = one_shot(head + problem)
    with pytest.raises((ApiError, Unreachable)) as caught:
        AdminClient(url).upload(file)
    thread.join()
    # A reset may overtake the answer (RFC 9112, 9.6): then it is told as a broken exchange.
    assert "Too large" in str(caught.value) or "broke off" in str(caught.value)


@pytest.mark.parametrize("url", ["", "ftp://host", "http://", "://x"])
def test_what_is_no_url_is_said(url):
    with pytest.raises(Invalid, match="expected http://host:port"):
        AdminClient(url)


def test_segments_are_quoted():
    assert segment("a/b?c d") == "a%2Fb%3Fc%20d"
