"""Bodies that parsers disagree about: lengths, codings, chunks."""

from __future__ import annotations

from tests.soundness.vectors import (
    CHUNK,
    GOT,
    LAST,
    POSTED,
    SMUGGLED,
    chunked,
    get,
    passed,
    post,
    refused,
)

LENGTHS = [
    refused(f"content-length {value!r}", post(b"content-length: " + value, body=b"hello"))
    for value in (
        b"+5",
        b"-5",
        b"5,5",
        b"5, 5",
        b"5,6",
        b"5 5",
        b"0x5",
        b"5.0",
        b"5e0",
        b"",
        b"five",
        b"5;",
        b"5\x0b",
        b"\x0c5",
        b"5_0",
        b"\xd9\xa5",
        b"18446744073709551616",
        b"99999999999999999999999",
        b"5\x00",
        b'"5"',
        b"5\r6",
    )
] + [
    refused(
        "two lengths that differ", post(b"content-length: 5", b"content-length: 6", body=b"hello")
    ),
    refused(
        "two lengths that agree", post(b"content-length: 5", b"content-length: 5", body=b"hello")
    ),
    refused("length 0 then 43", post(b"content-length: 0", b"content-length: 43", body=SMUGGLED)),
    refused("a space before the colon", post(b"content-length : 5", body=b"hello")),
    refused("a tab before the colon", post(b"content-length\t: 5", body=b"hello")),
    refused("a folded length", post(b"content-length:\r\n 5", body=b"hello")),
    refused("a space before the name", post(b" content-length: 5", body=b"hello")),
    passed("leading zeros", post(b"content-length: 005", body=b"hello"), POSTED),
    passed("spaces around the length", post(b"content-length: \t 5 \t", body=b"hello"), POSTED),
    passed("no space before the length", post(b"content-length:5", body=b"hello"), POSTED),
    passed("the name in capitals", post(b"CONTENT-LENGTH: 5", body=b"hello"), POSTED),
    passed("a length of zero", post(b"content-length: 0"), (b"POST", b"/v", b"")),
    passed("no length, no body", post(), (b"POST", b"/v", b"")),
]

CODINGS = (
    [
        refused(
            "CL.TE", post(b"content-length: 6", b"transfer-encoding: chunked", body=LAST + b"G")
        ),
        refused(
            "TE.CL",
            post(b"transfer-encoding: chunked", b"content-length: 4", body=b"5c\r\n" + SMUGGLED),
        ),
        refused(
            "TE.CL.0",
            post(b"transfer-encoding: chunked", b"content-length: 0", body=CHUNK + LAST),
        ),
        refused(
            "TE in HTTP/1.0", chunked(CHUNK + LAST).replace(b"HTTP/1.1", b"HTTP/1.0"), 400, 501
        ),
    ]
    + [
        refused(f"TE line {line!r}", post(line, body=CHUNK + LAST), 400, 501)
        for line in (
            b"transfer-encoding: xchunked",
            b"transfer-encoding: chunkedx",
            b"transfer-encoding: chunke",
            b"transfer-encoding: chunked, identity",
            b"transfer-encoding: identity, chunked",
            b"transfer-encoding: gzip, chunked",
            b"transfer-encoding: chunked, chunked",
            b"transfer-encoding: identity",
            b"transfer-encoding: gzip",
            b"transfer-encoding: ",
            b'transfer-encoding: "chunked"',
            b"transfer-encoding: chunked;q=1",
            b"transfer-encoding: \x0bchunked",
            b"transfer-encoding: chunked\x0b",
            b"transfer-encoding: chunked\x00",
            b"transfer-encoding: ch\xc3\xbcnked",
            b"transfer-encoding : chunked",
            b"transfer-encoding\t: chunked",
            b" transfer-encoding: chunked",
            b"transfer-encoding:\r\n chunked",
            b"x: y\r\n transfer-encoding: chunked",
            b"transfer-encoding\x00: chunked",
            b"transfer-encoding: chunked\r\ntransfer-encoding: x",
            b"transfer-encoding: x\r\ntransfer-encoding: chunked",
            b"transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            b"transfer-encoding: identity\r\ntransfer-encoding: chunked",
            b"x: y\ntransfer-encoding: chunked",
            b"x: y\rtransfer-encoding: chunked",
            b"x: y\r\rtransfer-encoding: chunked",
            b"transfer-encoding: chunked\r\ncontent-length: 5",
            b"content-length: 5\r\ntransfer-encoding: identity",
            b"content-length: 5\r\ntransfer-encoding: ",
            b"content-length: 5\r\ntransfer-encoding: x",
        )
    ]
    + [
        passed("chunked", chunked(CHUNK + LAST), POSTED),
        passed(
            "Chunked in capitals", post(b"Transfer-Encoding: CHUNKED", body=CHUNK + LAST), POSTED
        ),
        passed(
            "chunked with spaces around",
            post(b"transfer-encoding:   chunked  ", body=CHUNK + LAST),
            POSTED,
        ),
    ]
)

CHUNKS = [
    refused(f"chunk line {line!r}", chunked(line + b"\r\nhello\r\n" + LAST))
    for line in (
        b"0x5",
        b"+5",
        b"-5",
        b" 5",
        b"5 5",
        b"5 ",
        b"5\t",
        b"5_",
        b"g",
        b"",
        b"5,",
        b"5.0",
        b"\xd9\xa5",
        b"10000000000000005",
        b"fffffffffffffffff",
        b"5;a\nb",
        b"5;a\rb",
        b"5\n;a",
        b"5;a\x00b",
        b"5\x00",
        b"5\x0b",
    )
] + [
    refused("a bare LF ends the chunk line", chunked(b"5\nhello\r\n" + LAST)),
    refused("a bare CR ends the chunk line", chunked(b"5\rhello\r\n" + LAST)),
    refused("an extension ends in LF", chunked(b"5;a\nhello\r\n" + LAST)),
    refused("a bare LF ends the chunk", chunked(b"5\r\nhello\n" + LAST)),
    refused("a bare CR ends the chunk", chunked(b"5\r\nhello\r" + LAST)),
    refused("nothing ends the chunk", chunked(b"5\r\nhello" + LAST)),
    refused("two bytes that are no CRLF end the chunk", chunked(b"5\r\nhelloXX" + LAST)),
    refused("a chunk longer than said", chunked(b"5\r\nhello!\r\n" + LAST)),
    refused("a chunk shorter than said", chunked(b"5\r\nhell\r\n" + LAST)),
    refused("bare LFs end the body", chunked(CHUNK + b"0\n\n")),
    refused("a bare LF ends the last chunk line", chunked(CHUNK + b"0\n\r\n")),
    refused("a bare LF ends the body", chunked(CHUNK + b"0\r\n\n")),
    refused("a bare CR ends the body", chunked(CHUNK + b"0\r\n\r" + SMUGGLED)),
    refused("a trailer with a space before the colon", chunked(CHUNK + b"0\r\nx : y\r\n\r\n")),
    refused("a folded trailer", chunked(CHUNK + b"0\r\nx: y\r\n z\r\n\r\n")),
    refused("a trailer without a colon", chunked(CHUNK + b"0\r\nGET /smuggled HTTP/1.1\r\n\r\n")),
    refused("a trailer ends in LF", chunked(CHUNK + b"0\r\nx: y\n\r\n")),
    refused("a NUL in a trailer", chunked(CHUNK + b"0\r\nx: \x00\r\n\r\n")),
    passed("an extension", chunked(b"5;a=b;c\r\nhello\r\n" + LAST), POSTED),
    passed("a quoted extension", chunked(b'5;a="b;c"\r\nhello\r\n' + LAST), POSTED),
    passed("an extension of the last chunk", chunked(CHUNK + b"0;a=b\r\n\r\n"), POSTED),
    passed("leading zeros in a chunk", chunked(b"000005\r\nhello\r\n" + b"000\r\n\r\n"), POSTED),
    passed(
        "hexadecimal in both cases",
        chunked(b"a\r\n0123456789\r\nB\r\n0123456789a\r\n" + LAST),
        (b"POST", b"/v", b"01234567890123456789a"),
    ),
    passed(
        "a chunk that looks like the end",
        chunked(b"9\r\n\r\n0\r\n\r\n\r\n\r\n" + LAST),
        (b"POST", b"/v", b"\r\n0\r\n\r\n\r\n"),
    ),
    passed(
        "a body that looks like a request",
        post(b"content-length: %d" % len(SMUGGLED), body=SMUGGLED),
        (b"POST", b"/v", SMUGGLED),
    ),
    passed("a chunked body and the next request", chunked(CHUNK + LAST) + get(), POSTED, GOT),
]

BODIES = [*LENGTHS, *CODINGS, *CHUNKS]
