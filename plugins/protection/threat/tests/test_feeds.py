"""Formats, fetching and compiling: what is read, what is refused, and what stays when it fails."""

from __future__ import annotations

import json
import random
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from plugbay_threat import _job
from plugbay_threat._config import Config, Feed
from plugbay_threat._fetch import FetchFailed, fetch
from plugbay_threat._index import MAGIC, Compiler, Index, Row
from plugbay_threat._parse import parse
from plugbay_threat._spans import Span, flatten

from plugbay.sdk.protection import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STIX = {
    "type": "bundle",
    "objects": [
        {
            "type": "indicator",
            "pattern": "[ipv4-addr:value = '198.51.100.7' OR domain-name:value = 'bad.example']",
            "valid_until": "2040-01-01T00:00:00Z",
            "confidence": 85,
        },
        {"type": "indicator", "pattern": "[ipv6-addr:value ISSUBSET '2001:db8:5::/48']"},
        {"type": "indicator", "pattern": "[ipv4-addr:value = '198.51.100.8']", "revoked": True},
        {"type": "indicator", "pattern": "rule x", "pattern_type": "yara"},
        {"type": "ipv4-addr", "value": "198.51.100.9"},
        {"type": "malware"},
        "nonsense",
    ],
}
MISP = {
    "Event": {
        "threat_level_id": "2",
        "Attribute": [
            {"type": "ip-src", "value": "203.0.113.1"},
            {"type": "ip-dst|port", "value": "203.0.113.2|443"},
            {"type": "domain|ip", "value": "worse.example|203.0.113.3"},
            {"type": "md5", "value": "x"},
            {"type": "ip-src", "value": "203.0.113.4", "to_ids": False},
            "nonsense",
        ],
        "Object": [{"Attribute": [{"type": "hostname", "value": "c2.example"}]}, 7],
    }
}
LIST = {"type": "cidr", "list": ["192.0.2.0/24", ".ok.example", 7]}
FORMATS: list[tuple[str, str, list[str]]] = [
    (
        "txt",
        "# c\n192.0.2.1\n\n;x\n//y\n192.0.2.2\t5\n0.0.0.0 a.example\n",
        ["192.0.2.1", "192.0.2.2", "a.example"],
    ),
    ("csv", '#h\nx,192.0.2.1,"a, b"\nnone,none\nbad.example,y\n', ["192.0.2.1", "bad.example"]),
    ("json", '["192.0.2.1", {"ip": "192.0.2.2:80"}]', ["192.0.2.1", "192.0.2.2"]),
    (
        "json",
        '{"meta": 1, "data": [{"cidr": "192.0.2.0/30"}, {"x": [{"domain": "a.b"}]}]}',
        ["192.0.2.0/30", "a.b"],
    ),
    ("stix", json.dumps(STIX), ["198.51.100.7", "bad.example", "2001:db8:5::/48", "198.51.100.9"]),
    (
        "misp",
        json.dumps([MISP]),
        ["203.0.113.1", "203.0.113.2", "worse.example", "203.0.113.3", "c2.example"],
    ),
    ("misp", json.dumps({"response": [LIST]}), ["192.0.2.0/24", "ok.example"]),
]


def feed(**parts: Any) -> Feed:
    return Feed(**{"name": "f", "path": "/nowhere", **parts})


@pytest.mark.parametrize(("kind", "text", "expected"), FORMATS)
def test_each_format_is_read(kind: str, text: str, expected: list[str]) -> None:
    lines = text.splitlines(keepends=True)
    assert [one.value for one in parse(feed(format=kind), lines)] == expected


def test_what_a_feed_says_of_an_indicator_is_kept() -> None:
    first, *_ = parse(feed(format="stix"), [json.dumps(STIX)])
    assert (first.severity, first.expires) == ("high", 2208988800.0)
    assert next(parse(feed(format="misp"), [json.dumps(MISP)])).severity == "medium"
    text = '[{"value": "a.b", "severity": "CRITICAL", "expires": 99}, {"v": "c.d", "x": 1}]'
    assert list(parse(feed(format="json"), [text])) == [("a.b", 99.0, "critical")]
    assert [o.value for o in parse(feed(format="json", key="v"), [text])] == ["c.d"]
    assert [o.value for o in parse(feed(format="csv", column=1), ["a,b\n", "c\n"])] == ["b"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", "{"),
        ("json", "[" * 100_000),
        ("stix", "[]"),
        ("stix", "{}"),
        ("misp", "7"),
        ("misp", '{"Event": 7}'),
        ("csv", "a\0b,\r" + '"' + "x" * 200_000),
    ],
)
def test_what_is_no_feed_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(parse(feed(format=kind), [text]))


def test_spans_that_overlap_are_cut_and_the_worst_wins() -> None:
    spans = sorted(
        [Span(0, 99, 0), Span(10, 19, 1), Span(15, 16, 0), Span(30, 30, 2), Span(200, 201, 0)]
    )
    assert list(flatten(spans, [1, 3, 0])) == [
        (0, 9, 0),
        (10, 19, 1),
        (20, 99, 0),
        (200, 201, 0),
    ]


def test_any_spans_give_what_a_plain_search_gives() -> None:
    chance = random.Random(5)  # noqa: S311 - seeded on purpose
    for _ in range(200):
        ranks = [chance.randrange(4) for _ in range(4)]
        spans = []
        for _ in range(chance.randrange(8)):
            low = chance.randrange(60)
            spans.append(Span(low, low + chance.randrange(20), chance.randrange(4)))
        flat = list(flatten(sorted(spans), ranks))
        for place in range(90):
            inside = [ranks[s.row] for s in spans if s.low <= place <= s.high]
            found = [ranks[s.row] for s in flat if s.low <= place <= s.high]
            assert found == ([max(inside)] if inside else [])


def test_an_index_finds_addresses_networks_and_domains(tmp_path: Path) -> None:
    compiler = Compiler()
    named = [
        "192.0.2.1",
        "198.51.100.0/24",
        "2001:db8::1",
        "2001:db8:7::/48",
        "bad.example",
        "::ffff:203.0.113.9",
    ]
    for value in named:
        assert _job._add(compiler, value, Row("f", 2, 0.0))
    assert _job._add(compiler, "198.51.100.7", Row("worse", 3, 0.0))
    assert _job._add(compiler, "BAD.example.", Row("worse", 3, 0.0))
    for wrong in (
        "",
        "1.2.3",
        "300.1.1.1",
        "0.0.0.0/0",
        "::/0",
        "192.0.2.0/x",
        "10.0.0.0/33",
        "localhost",
        "a b.c",
    ):
        assert not _job._add(compiler, wrong, Row("f", 2, 0.0)), wrong
    compiler.write(tmp_path / "i", {"made": 1.0})
    index = Index.open(tmp_path / "i")

    def source(address: str) -> str:
        found = number_of(address)
        assert found is not None
        row = index.four(found[1]) if found[0] == 4 else index.six(found[1])
        return row.source if row else ""

    assert [source(a) for a in ("192.0.2.1", "192.0.2.2", "192.0.2.0", "0.0.0.1")] == [
        "f",
        "",
        "",
        "",
    ]
    assert [source(a) for a in ("198.51.100.6", "198.51.100.7", "198.51.100.255")] == [
        "f",
        "worse",
        "f",
    ]
    assert [source(a) for a in ("2001:db8::1", "2001:db8::2", "2001:db8::", "::")] == [
        "f",
        "",
        "",
        "",
    ]
    assert [source(a) for a in ("2001:db8:7::", "2001:db8:7:ffff::1", "2001:db8:8::")] == [
        "f",
        "f",
        "",
    ]
    assert source("203.0.113.9") == "f"
    assert source("ffff::") == ""
    assert [
        bool(index.domain(d)) for d in ("bad.example", "a.b.bad.example", "good.example", "example")
    ] == [True, True, False, False]
    assert index.domain("bad.example") == Row("worse", 3, 0.0)
    assert Index.empty().four(1) is None
    assert len(Index.empty()) == 0


def test_many_ipv6_spans_in_one_network(tmp_path: Path) -> None:
    compiler = Compiler()
    for n in range(0, 50, 2):
        _job._add(compiler, f"2001:db8::{n:x}", Row("f", n % 4, 0.0))
    compiler.write(tmp_path / "i", {})
    index = Index.open(tmp_path / "i")
    base = number_of("2001:db8::")
    assert base is not None
    assert [bool(index.six(base[1] + n)) for n in range(50)] == [n % 2 == 0 for n in range(50)]


@pytest.mark.parametrize("content", [b"", b"x" * 100, MAGIC + b"\2\0\0\0{}" + b" " * 9])
def test_a_file_that_is_no_index_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "i").write_bytes(content)
    with pytest.raises(ValueError, match=r"index|machine"):
        Index.open(tmp_path / "i")


class Server:
    """A feed's server whose answers the test sets."""

    def __init__(self) -> None:
        self.body, self.status, self.etag = b"192.0.2.1\n", 200, '"1"'
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.cut = 0
        self.url = ""


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append({k.lower(): v for k, v in self.headers.items()})
            same = server.etag and self.headers.get("If-None-Match") == server.etag
            body = b"" if same else server.body
            self.send_response(304 if same else server.status)
            self.send_header("ETag", server.etag)
            if not same:
                self.send_header("Content-Length", str(len(body)))
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) - server.cut])

        def log_message(self, format: str, *args: Any) -> None:
            return

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.url = f"http://127.0.0.1:{httpd.server_port}/feed"
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def config_of(*feeds: Feed, **parts: Any) -> Config:
    return Config(feeds=feeds, **{"retries": 0, "timeout": 5.0, **parts})


def names(folder: Path, address: str) -> bool:
    found = number_of(address)
    return found is not None and Index.open(folder / _job.INDEX).four(found[1]) is not None


def test_a_feed_is_fetched_only_if_it_has_changed(tmp_path: Path) -> None:
    with serving() as server:
        one = Feed(name="f", url=server.url, headers={"X-Key": "secret"})
        config = config_of(one)
        report = _job.run(config, tmp_path, now=1e9)
        assert report["feeds"]["f"] == {"error": "", "changed": True}
        assert report["indicators"] == {"f": 1}
        assert server.asked[0]["x-key"] == "secret"
        report = _job.run(config, tmp_path, force=True)
        assert not report["feeds"]["f"]["changed"]
        assert server.asked[-1]["if-none-match"] == '"1"'
        asked = len(server.asked)
        assert not _job.run(config, tmp_path)["compiled"]
        assert len(server.asked) == asked  # it is not due yet
        server.body, server.etag = b"192.0.2.2\n", '"2"'
        assert _job.run(config, tmp_path, force=True)["compiled"]
        assert not names(tmp_path, "192.0.2.1")
        assert names(tmp_path, "192.0.2.2")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"status": 500}, "500"),
        ({"status": 404}, "404"),
        ({"body": b"<html>Sorry</html>"}, "no indicator"),
        ({"body": b""}, "no indicator"),
        ({"body": b"192.0.2.9\n" * 1000}, "longer than"),
        ({"body": b"192.0.2.9\n192.0.2.8\n", "cut": 5}, "ended after"),
        ({"status": 302, "headers": {"Location": "file:///etc/passwd"}}, "not allowed"),
        ({"status": 302, "headers": {"Location": "ftp://127.0.0.1/x"}}, "redirects to ftp"),
    ],
)
def test_a_bad_answer_changes_nothing(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    with serving() as server:
        config = config_of(Feed(name="f", url=server.url), max_bytes=5000)
        _job.run(config, tmp_path)
        server.etag = ""
        for name, value in change.items():
            setattr(server, name, value)
        report = _job.run(config, tmp_path, force=True)
        assert word in report["feeds"]["f"]["error"]
        assert names(tmp_path, "192.0.2.1")


def test_an_attempt_is_repeated_later_and_later(tmp_path: Path) -> None:
    pauses: list[float] = []
    with serving() as server:
        server.status = 503
        one = Feed(name="f", url=server.url)
        with pytest.raises(FetchFailed, match="503"):
            fetch(one, config_of(one, retries=3), tmp_path, lambda path: None, pauses.append)
        assert pauses == [1.0, 2.0, 4.0]
        assert len(server.asked) == 4


def test_a_redirect_takes_no_secret_to_another_host(tmp_path: Path) -> None:
    with serving() as server, serving() as other:
        server.status, server.headers = 302, {"Location": other.url}
        one = Feed(name="f", url=server.url, headers={"X-Key": "secret"})
        assert fetch(one, config_of(one), tmp_path, lambda path: None)
        assert "x-key" in server.asked[0]
        assert "x-key" not in other.asked[0]
        assert other.asked[0]["user-agent"].startswith("plugbay")


def test_files_allow_lists_limits_and_ends(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.csv", tmp_path / "good.json"
    bad.write_text("192.0.2.1\n192.0.2.2\n192.0.2.3\n")
    good.write_text(json.dumps(LIST))
    feeds = (
        Feed(name="bad", path=str(bad), format="csv", expires=7200.0),
        Feed(name="good", path=str(good), format="misp", allow=True),
        Feed(name="gone", path=str(tmp_path / "gone")),
    )
    folder = tmp_path / "data"
    folder.mkdir()
    report = _job.run(config_of(*feeds, max_indicators=2), folder)
    assert report["indicators"] == {"good": 2, "bad": 2, "gone": 0}
    assert "gone" in report["feeds"]["gone"]["error"]
    (row,) = Index.open(folder / _job.INDEX).rows
    assert row.expires % 3600 == 0
    assert row.expires > 7200
    allowed = Index.open(folder / _job.ALLOWED)
    assert allowed.four(number_of("192.0.2.77")[1])  # type: ignore[index]  # it is an address
    report = _job.run(config_of(*feeds), folder, force=True)
    assert report["compiled"]  # another limit
    assert report["indicators"]["bad"] == 3
    assert not report["feeds"]["bad"]["changed"]
    late = _job.compile_all(config_of(*feeds), folder, "x", row.expires + 1)
    assert late["bad"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"path": ""},
        {"url": "http://x"},
        {"path": "", "url": "file:///etc/passwd"},
        {"every": 1.0},
        {"expires": -1.0},
    ],
)
def test_a_feed_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        feed(**wrong)


def test_a_configuration_that_makes_no_sense_is_refused() -> None:
    for wrong in ({"feeds": (feed(), feed())}, {"timeout": 0.0}, {"allow": ("x",)}):
        with pytest.raises(ValueError, match=r"."):
            Config(**wrong)  # type: ignore[arg-type]  # on purpose
