import pytest

from plugbay.sdk import Headers


def test_names_are_case_insensitive_and_values_are_text():
    headers = Headers.of({"Content-Type": "text/plain", "X-A": "caf\xe9"})
    assert headers.raw == [(b"content-type", b"text/plain"), (b"x-a", b"caf\xe9")]
    assert headers["CONTENT-TYPE"] == "text/plain"
    assert headers.get("x-a") == "caf\xe9"
    assert headers.get("x-b") is None
    assert headers.get("x-b", "none") == "none"
    assert "X-A" in headers
    assert "x-b" not in headers
    assert 1 not in headers
    with pytest.raises(KeyError, match="x-b"):
        headers["x-b"]


def test_the_list_underneath_is_shared():
    raw = [(b"a", b"1")]
    headers = Headers(raw)
    headers.add("A", "2")
    headers.set("b", "3")
    assert raw == [(b"a", b"1"), (b"a", b"2"), (b"b", b"3")]
    assert headers.get_all("a") == ["1", "2"]
    headers.set("A", "4")
    assert raw == [(b"b", b"3"), (b"a", b"4")]
    headers.remove("B")
    headers.remove("ghost")
    assert headers.raw is raw
    assert raw == [(b"a", b"4")]


def test_they_are_compared_listed_and_shown():
    headers = Headers.of({"a": "1", "b": "2"})
    assert list(headers) == [("a", "1"), ("b", "2")]
    assert len(headers) == 2
    assert headers == Headers.of({"A": "1", "B": "2"})
    assert headers != Headers()
    assert headers != {"a": "1", "b": "2"}
    assert repr(headers) == "Headers([('a', '1'), ('b', '2')])"
    with pytest.raises(TypeError, match="unhashable"):
        hash(headers)


WRONG = [("a", "x\r\ny: z"), ("a", "x\n"), ("a", "\0"), ("a\r\nb", "x"), ("a\0", "x"), ("", "x")]


@pytest.mark.parametrize(("name", "value"), WRONG)
@pytest.mark.parametrize("way", [Headers.add, Headers.set])
def test_nothing_can_be_injected(way, name, value):
    headers = Headers.of({"a": "1"})
    with pytest.raises(ValueError, match="line break"):
        way(headers, name, value)
    assert headers.raw == [(b"a", b"1")], "a refusal changes nothing"


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_nothing_is_built_with_an_injection(name, value):
    with pytest.raises(ValueError, match="line break"):
        Headers.of({name: value})


def test_text_that_cannot_be_sent_is_refused():
    with pytest.raises(ValueError, match="ordinal not in range"):
        Headers().add("snow", "\N{SNOWMAN}")
    with pytest.raises(ValueError, match="ordinal not in range"):
        Headers().add("sn\xf6w", "x")
