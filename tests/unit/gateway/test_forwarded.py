"""Who the client is, and what the upstream hears of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugbay.gateway.message._forwarded import ForwardedPolicy
from plugbay.gateway.message._forwarded_field import parse_forwarded, quote
from plugbay.kernel import Invalid

TRUSTED = ("10.0.0.0/8", "2001:db8:1::/48")
Fields = list[tuple[bytes, bytes]]


def apply(
    peer: str, *said: tuple[bytes, bytes], host: bytes = b"shop.test"
) -> tuple[str, dict[bytes, bytes]]:
    headers: Fields = [(b"host", host), *said, (b"accept", b"*/*")]
    client = ForwardedPolicy(TRUSTED).apply(peer, b"http", host, headers)
    assert headers[:2] == [(b"host", host), (b"accept", b"*/*")]
    result = dict(headers[2:])
    assert len(result) == len(headers) - 2
    return client, result


SPOOFED: Fields = [
    (b"forwarded", b"for=6.6.6.6;proto=https"),
    (b"x-forwarded-for", b"6.6.6.6"),
    (b"x-forwarded-for", b"7.7.7.7"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"evil.test"),
    (b"x-forwarded-port", b"1"),
    (b"x-forwarded-anything", b"1"),
    (b"x-original-forwarded-for", b"6.6.6.6"),
    (b"x-real-ip", b"6.6.6.6"),
    (b"x_real_ip", b"6.6.6.6"),
    (b"x_real-ip", b"6.6.6.6"),
    (b"x_forwarded_for", b"6.6.6.6"),
]

FRESH = {
    b"x-forwarded-for": b"192.0.2.7",
    b"x-forwarded-proto": b"http",
    b"x-forwarded-host": b"shop.test",
    b"x-real-ip": b"192.0.2.7",
    b"forwarded": b"for=192.0.2.7;host=shop.test;proto=http",
}


@pytest.mark.parametrize("said", [[], *([field] for field in SPOOFED), SPOOFED])
def test_nothing_that_an_untrusted_peer_says_is_believed(said: Fields) -> None:
    assert apply("192.0.2.7", *said) == ("192.0.2.7", FRESH)


def test_a_trusted_peer_that_says_nothing_is_the_client() -> None:
    client, fields = apply("10.0.0.1")
    assert client == "10.0.0.1"
    assert fields[b"x-forwarded-for"] == b"10.0.0.1"


def test_fields_of_a_trusted_peer_are_extended() -> None:
    client, fields = apply(
        "10.0.0.1",
        (b"x-forwarded-for", b"6.6.6.6, 192.0.2.7"),
        (b"x-forwarded-for", b"10.0.0.3"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"www.test"),
        (b"x-forwarded-port", b"443"),
        (b"x_forwarded_for", b"6.6.6.6"),
    )
    assert client == "192.0.2.7"
    assert fields == {
        b"x-forwarded-for": b"6.6.6.6, 192.0.2.7, 10.0.0.3, 10.0.0.1",
        b"x-forwarded-proto": b"https",
        b"x-forwarded-host": b"www.test",
        b"x-forwarded-port": b"443",
        b"x-real-ip": b"192.0.2.7",
        b"forwarded": b"for=6.6.6.6, for=192.0.2.7, for=10.0.0.3, "
        b"for=10.0.0.1;host=www.test;proto=https",
    }


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        (b"192.0.2.7", "192.0.2.7"),
        (b"192.0.2.7:4711", "192.0.2.7"),
        (b"[2001:db8::7]:4711", "2001:db8::7"),
        (b"2001:DB8::7", "2001:db8::7"),
        (b"::ffff:192.0.2.7", "192.0.2.7"),
        (b"192.0.2.7, ::ffff:10.1.1.1", "192.0.2.7"),
        (b"192.0.2.7, 2001:db8:1::9", "192.0.2.7"),
        (b"10.9.9.9, 10.8.8.8", "10.9.9.9"),
        (b"192.0.2.7, unknown, 10.8.8.8", "10.8.8.8"),
        (b"192.0.2.7, 999.1.1.1, 10.8.8.8", "10.8.8.8"),
        (b"192.0.2.7, <script>", "10.0.0.1"),
        (b" , ,", "10.0.0.1"),
        (b"", "10.0.0.1"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_not_trusted(
    hops: bytes, client: str
) -> None:
    assert apply("10.0.0.1", (b"x-forwarded-for", hops))[0] == client


@pytest.mark.parametrize(
    ("field", "client"),
    [
        (b"for=192.0.2.7", "192.0.2.7"),
        (b'For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        (b'for="192.0.2.7:_port";by=_x', "192.0.2.7"),
        (b"for=192.0.2.43, for=10.3.3.3", "192.0.2.43"),
        (b"for=192.0.2.43,for=198.51.100.17;by=203.0.113.60;proto=http", "198.51.100.17"),
        (b'for="_gazonk", for=10.3.3.3', "10.3.3.3"),
        (b"for=unknown", "10.0.0.1"),
        (b"proto=https", "10.0.0.1"),
        (b'for="a,for=1.1.1.1", for=192.0.2.7', "192.0.2.7"),
        (b'for="1\\92.0.2.7"', "192.0.2.7"),
        (b'for="192.0.2.7', "10.0.0.1"),
        (b"for=192.0.2.7;for=192.0.2.8", "10.0.0.1"),
        (b"for=192.0.2.7 for=192.0.2.8", "10.0.0.1"),
        (b"nonsense", "10.0.0.1"),
    ],
)
def test_the_standard_field_is_read_as_rfc_7239_says(field: bytes, client: str) -> None:
    assert apply("10.0.0.1", (b"forwarded", field))[0] == client


def test_the_element_of_the_client_says_how_it_asked() -> None:
    said = b'for=6.6.6.6;proto=http, for=192.0.2.7;proto=HTTPS;host="www.test:8443", for=10.2.2.2'
    client, fields = apply("10.0.0.1", (b"forwarded", said))
    assert client == "192.0.2.7"
    assert fields[b"x-forwarded-proto"] == b"https"
    assert fields[b"x-forwarded-host"] == b"www.test:8443"
    assert fields[b"x-forwarded-for"] == b"6.6.6.6, 192.0.2.7, 10.2.2.2, 10.0.0.1"


def test_of_both_kinds_the_common_one_counts() -> None:
    said = (b"forwarded", b"for=6.6.6.6"), (b"x-forwarded-for", b"192.0.2.7")
    client, fields = apply("10.0.0.1", *said)
    assert client == "192.0.2.7"
    assert b"6.6.6.6" not in fields[b"forwarded"]


def test_an_unknown_scheme_is_not_passed_on() -> None:
    fields = apply("10.0.0.1", (b"x-forwarded-proto", b"javascript"))[1]
    assert fields[b"x-forwarded-proto"] == b"http"


def test_an_ipv6_peer_is_quoted_where_that_is_the_grammar() -> None:
    client, fields = apply("2001:db8::7", host=b"[::1]:80")
    assert client == "2001:db8::7"
    assert fields[b"x-forwarded-for"] == b"2001:db8::7"
    assert fields[b"forwarded"] == b'for="[2001:db8::7]";host="[::1]:80";proto=http'


def test_a_peer_without_an_address_is_unknown() -> None:
    client, fields = apply("", (b"x-forwarded-for", b"6.6.6.6"))
    assert client == "unknown"
    assert fields[b"forwarded"] == b"for=unknown;host=shop.test;proto=http"


def test_a_mapped_peer_is_known_by_its_ipv4_address() -> None:
    policy = ForwardedPolicy(TRUSTED)
    assert policy.trusts("::ffff:10.0.0.1")
    assert not policy.trusts("192.0.2.1")
    assert not policy.trusts("nonsense")


def test_what_is_not_a_block_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        ForwardedPolicy(("10.0.0.0/8", "10.0.0.1/8"))
    assert caught.value.problems[0].pointer == "/trusted_proxies/1"


def test_the_memories_are_bounded() -> None:
    policy = ForwardedPolicy(TRUSTED)
    for number in range(10_000):
        headers: Fields = [(b"x-forwarded-for", b"192.0.%d.%d" % divmod(number % 65536, 256))]
        policy.apply("10.0.0.1", b"http", b"h%d" % number, headers)
    long: Fields = [(b"x-forwarded-for", b"1" * 5000)]
    assert policy.apply("10.0.0.1", b"http", b"h", long) == "10.0.0.1"
    assert len(policy._memo) <= 4096
    assert len(policy._addresses) <= 4096
    assert all(len(address) <= 64 for address in policy._addresses)


@given(st.text(alphabet='forpto="\\;, []:_1a', max_size=40))
def test_what_is_written_can_be_read_again(node: str) -> None:
    assert [e.node for e in parse_forwarded(b"for=" + quote(node))] == [node]


@given(st.binary(max_size=60))
def test_no_field_makes_the_parser_raise(field: bytes) -> None:
    apply("10.0.0.1", (b"forwarded", field), (b"x-real-ip", field))
    apply("10.0.0.1", (b"x-forwarded-for", field))
