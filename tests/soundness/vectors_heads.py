"""Heads that parsers disagree about: fields, hosts, targets, request lines, connections."""

from __future__ import annotations

from tests.soundness.vectors import (
    CHUNK,
    GOT,
    LAST,
    POSTED,
    SMUGGLED,
    Vector,
    chunked,
    get,
    passed,
    post,
    refused,
)

FIELDS = [
    refused(f"field {line!r}", get(line))
    for line in (
        b"x : y",
        b"x\t: y",
        b" x: y",
        b"\tx: y",
        b"x",
        b": y",
        b"x\x00: y",
        b"x\x01: y",
        b"x y: z",
        b"x\xc3\xa9: y",
        b"x\x80: y",
        b"x(: y",
        b"x/: y",
        b"x[: y",
        b"x\x7f: y",
        b'"x": y',
        b"x@y: z",
        b"x: y\x00z",
        b"x: \x00",
        b"x: y\rz",
        b"x: y\nz",
        b"x: y\r\n z",
        b"x: y\r\n\tz",
        b"x: y\n z",
        b"x: y\x01z",
        b"x: y\x7fz",
        b"x: y\x08",
    )
] + [
    refused("bare LF everywhere", b"GET /v HTTP/1.1\nhost: a.test\n\n"),
    refused("bare CR everywhere", b"GET /v HTTP/1.1\rhost: a.test\r\r"),
    refused("a bare LF ends the head", b"GET /v HTTP/1.1\r\nhost: a.test\r\n\n"),
    refused("a bare LF ends one field", b"GET /v HTTP/1.1\r\nhost: a.test\nx: y\r\n\r\n"),
    refused("a bare LF ends the request line", b"GET /v HTTP/1.1\nhost: a.test\r\n\r\n"),
    refused("a CR before the CRLF", b"GET /v HTTP/1.1\r\r\nhost: a.test\r\n\r\n"),
    refused("LF CR", b"GET /v HTTP/1.1\n\rhost: a.test\n\r\n\r"),
    passed("a field that is empty", get(b"x:"), GOT),
    passed("obs-text in a value is opaque", get(b"x: caf\xc3\xa9"), GOT),
]

HOSTS = (
    [
        refused("no host", b"GET /v HTTP/1.1\r\nx: y\r\n\r\n"),
        refused("two hosts", get(b"host: b.test")),
        refused("two hosts that agree", get(b"host: a.test")),
        refused("a second host in capitals", get(b"HOST: b.test")),
        refused("an empty host", b"GET /v HTTP/1.1\r\nhost:\r\n\r\n"),
    ]
    + [
        refused(f"host {host!r}", b"GET /v HTTP/1.1\r\nhost: " + host + b"\r\n\r\n")
        for host in (
            b"a.test, b.test",
            b"a test",
            b"a.test/x",
            b"user@a.test",
            b"a.test:x",
            b"a.test:80:80",
            b"a.test?x",
            b"a.test#x",
            b"[::1",
            b"::1",
            b"a\\b",
            b"a.test\tb",
            b"http://a.test",
            b"<a>",
            b"a.test:99999999999",
            b"a\xc3\xa9.test",
        )
    ]
    + [
        refused("absolute form, another host", get(target=b"http://b.test/v")),
        refused("absolute form, another port", get(target=b"http://a.test:81/v")),
        refused("absolute form with user information", get(target=b"http://u@a.test/v")),
        refused("absolute form without a host", get(target=b"http:///v")),
        refused("absolute form of another scheme", get(target=b"ftp://a.test/v")),
        refused("authority form", get(target=b"a.test:80")),
        refused("a target without a slash", get(target=b"v")),
        refused("an asterisk but no OPTIONS", get(target=b"*")),
        refused("a target with a space", get(target=b"/v /smuggled")),
        refused("a target with a tab", get(target=b"/v\tx")),
        refused("a target with NUL", get(target=b"/v\x00")),
        refused("a target with a fragment", get(target=b"/v#x")),
        refused("a target that is not ASCII", get(target=b"/v\xc3\xa9")),
        refused("an encoded CRLF", get(target=b"/v%0d%0aX:y")),
        refused("an encoded slash", get(target=b"/v%2f..%2fadmin")),
        refused("an encoded NUL", get(target=b"/v%00")),
        refused("a backslash", get(target=b"/v\\..\\admin")),
        refused("CONNECT", b"CONNECT a.test:80 HTTP/1.1\r\nhost: a.test:80\r\n\r\n", 400, 405, 501),
        passed("absolute form", get(target=b"http://a.test/v"), GOT),
        passed("absolute form without a path", get(target=b"http://a.test"), (b"GET", b"/", b"")),
        passed(
            "absolute form with a query only",
            get(target=b"http://a.test?q"),
            (b"GET", b"/?q", b""),
        ),
        passed("absolute form, capitals", get(target=b"HTTP://A.TEST/v"), GOT),
        passed("dot segments", get(target=b"/x/../%76"), GOT),
    ]
)

LINES = [
    refused("no version", b"GET /v\r\n\r\n", 400, 505),
    refused("HTTP/0.9", get(version=b"HTTP/0.9"), 400, 505),
    refused("HTTP/1.2", get(version=b"HTTP/1.2"), 400, 505),
    refused("HTTP/2.0", get(version=b"HTTP/2.0"), 400, 505),
    refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 501, 505),
    refused("http/1.1 in small letters", get(version=b"http/1.1")),
    refused("HTTP/1.10", get(version=b"HTTP/1.10")),
    refused("HTTP/1", get(version=b"HTTP/1")),
    refused("ICY", get(version=b"ICY/1.1")),
    passed("two spaces", get().replace(b"GET /v", b"GET  /v"), GOT),
    refused("a tab for a space", get().replace(b"GET /v", b"GET\t/v")),
    refused("a space before the method", b" " + get()),
    refused("a space behind the version", get(version=b"HTTP/1.1 ")),
    refused("a method of small letters", get().replace(b"GET", b"get"), 400, 501),
    refused("a method that is no token", get().replace(b"GET", b"G(T"), 400, 501),
    refused("TLS to a plain port", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"\x00" * 32),
    passed("an empty line first", b"\r\n" + get(), GOT),
]

CONNECTIONS = [
    refused(
        "Connection names Transfer-Encoding",
        chunked(CHUNK + LAST, b"connection: transfer-encoding"),
    ),
    passed(
        "Connection names Content-Length",
        post(b"content-length: 5", b"connection: content-length", body=b"hello"),
        POSTED,
    ),
    passed("Connection names Host", get(b"connection: close, host"), GOT),
    passed("Connection names X-Forwarded-For", get(b"connection: close, x-forwarded-for"), GOT),
    passed(
        "an upgrade to h2c is not made",
        get(b"connection: upgrade, http2-settings", b"upgrade: h2c", b"http2-settings: AAMAAABk"),
        GOT,
    ),
    passed(
        "an upgrade to h2c with a body",
        post(b"connection: upgrade", b"upgrade: h2c", b"content-length: 5", body=b"hello"),
        POSTED,
    ),
    passed(
        "an upgrade with a chunked body",
        chunked(CHUNK + LAST, b"connection: upgrade", b"upgrade: websocket"),
        POSTED,
    ),
    passed(
        "an upgrade with a body and a request behind it",
        post(b"connection: upgrade", b"upgrade: websocket", b"content-length: 5", body=b"hello")
        + get(),
        POSTED,
        GOT,
    ),
    passed(
        "an unknown upgrade and a request behind it",
        get(b"connection: upgrade", b"upgrade: x") + get(),
        GOT,
        GOT,
    ),
    passed("Upgrade that Connection does not name", get(b"upgrade: websocket") + get(), GOT, GOT),
    passed("three in one segment", get() * 3, GOT, GOT, GOT),
    passed(
        "bodies and none in one segment",
        post(b"content-length: 5", body=b"hello") + get() + chunked(CHUNK + LAST) + get(),
        POSTED,
        GOT,
        POSTED,
        GOT,
    ),
    passed(
        "a body on GET",
        get(b"content-length: 5") + b"hello" + get(),
        (b"GET", b"/v", b"hello"),
        GOT,
    ),
    passed("what follows Connection: close is not read", get(b"connection: close") + SMUGGLED, GOT),
    passed("what follows HTTP/1.0 is not read", get(version=b"HTTP/1.0") + SMUGGLED, GOT),
    passed(
        "an expectation with the body at once",
        post(b"content-length: 5", b"expect: 100-continue", body=b"hello") + get(),
        POSTED,
        GOT,
    ),
    refused("an expectation of something else", get(b"expect: 200-ok"), 417),
]

GARBAGE = [
    Vector(
        "an underscored length is none",
        post(b"content_length: 5", body=b"hello\r\n\r\n"),
        ((b"POST", b"/v", b""),),
        frozenset((200,)),
        ends=True,
    ),
    Vector(
        "an underscored coding is none",
        post(b"transfer_encoding: chunked", body=CHUNK + LAST),
        ((b"POST", b"/v", b""),),
        frozenset((200,)),
        ends=True,
    ),
    Vector(
        "a request, then garbage",
        get() + b"\x00garbage\r\n\r\n",
        (GOT,),
        frozenset((200,)),
        ends=True,
    ),
    Vector(
        "a body longer than its length",
        post(b"content-length: 4", body=b"hello") + get(),
        ((b"POST", b"/v", b"hell"),),
        frozenset((200,)),
        ends=True,
    ),
    Vector(
        "a chunked body, then garbage",
        chunked(CHUNK + LAST + b"0\r\n\r\n"),
        (POSTED,),
        frozenset((200,)),
        ends=True,
    ),
]

HEADS = [*FIELDS, *HOSTS, *LINES, *CONNECTIONS, *GARBAGE]
