"""Numbers, lines, pictures and receipts."""

from __future__ import annotations

import pytest

from plugbay.admin._listings import MOST, Listings
from plugbay.admin.pages import _format as write
from plugbay.admin.pages._assets import Assets
from plugbay.admin.pages._graph import BOX_WIDTH, draw
from plugbay.admin.pages._receipts import OperationCard, segments
from plugbay.admin.pages._traffic import TrafficView, curve
from plugbay.control import (
    Batch,
    DeleteMcpServer,
    DeleteRoute,
    Disable,
    FileSet,
    Operation,
    OperationState,
    PutMcpServer,
    PutUpstream,
)
from plugbay.gateway import UpstreamSpec
from plugbay.kernel import NotFound, PluginChange, Totals
from plugbay.mcp.serving import ServerSpec
from plugbay.observability import TrafficPoint


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (write.moment(0), "1970-01-01 00:00:00 UTC"),
        (write.iso(1.5), "1970-01-01T00:00:01.500+00:00"),
        (write.clock(3661.25), "01:01:01.250"),
        (write.ago(5), "5 s"),
        (write.ago(65), "1 min 5 s"),
        (write.ago(3700), "1 h 1 min"),
        (write.ago(90000), "1 d 1 h"),
        (write.ago(-3), "0 s"),
        (write.size(12), "12 B"),
        (write.size(2048), "2 KiB"),
        (write.size(50 * 2**20), "50 MiB"),
        (write.size(3 * 2**30), "3 GiB"),
        (write.duration(None), write.NONE),
        (write.duration(0), "0 s"),
        (write.duration(0.0000142), "14.2 µs"),
        (write.duration(0.0123), "12.3 ms"),
        (write.duration(2.5), "2.5 s"),
        (write.duration(300), "300 s"),
        (write.milliseconds(12), "12 ms"),
        (write.rate(None), write.NONE),
        (write.rate(0), "0"),
        (write.rate(1.26), "1.3"),
        (write.rate(1204), "1,204"),
        (write.percent(None), write.NONE),
        (write.percent(0.0312), "3.12 %"),
        (write.short("b77e" + "0" * 56 + "41c0"), "b77e00…41c0"),
        (write.short("short"), "short"),
        (write.plural(1, "worker"), "1 worker"),
        (write.plural(2, "worker"), "2 workers"),
    ],
)
def test_numbers_have_units(written: str, wanted: str) -> None:
    assert written == wanted


def test_a_line_goes_from_left_to_right_and_breaks_where_nothing_is_known() -> None:
    assert curve([]).path == ""
    assert curve([]).latest is None
    assert curve([0, 10]).path == "M0.0,22.0 L92.0,2.0"
    assert curve([0.0, 0.0]).path == "M0.0,22.0 L92.0,22.0"
    broken = curve([1.0, None, 1.0])
    assert broken.path == "M0.0,2.0 M92.0,2.0"
    assert broken.latest == 1.0


def test_traffic_is_quiet_without_requests() -> None:
    assert TrafficView.of([]).quiet
    assert TrafficView.of([]).error_share is None
    point = TrafficPoint(time=1, requests=10, errors=1, answered=0, p99=0.1, in_flight=0)
    view = TrafficView.of([point])
    assert not view.quiet
    assert view.error_share == 0.1


def test_plugins_stand_to_the_right_of_what_they_need() -> None:
    needs = {"c": ["a", "b"], "b": ["a"], "a": [], "d": ["gone"]}
    labels = dict.fromkeys(needs, ("1", "active"))
    picture = draw(needs, labels)
    x = {node.id: node.x for node in picture.nodes}
    assert x["a"] < x["b"] < x["c"]
    assert x["gone"] < x["d"]
    assert [node.state for node in picture.nodes if node.id == "gone"] == ["missing"]
    assert [(edge.id, edge.needs) for edge in picture.edges if edge.missing] == [("d", "gone")]
    assert picture.width >= x["c"] + BOX_WIDTH
    assert draw({}, {}).nodes == ()


def test_a_circle_is_drawn_and_does_not_hang() -> None:
    picture = draw({"a": ["b"], "b": ["a"]}, {"a": ("1", "failed"), "b": ("1", "failed")})
    assert len(picture.edges) == 2


def test_the_bar_of_a_receipt_shows_all_its_parts() -> None:
    parts = segments(Totals(prepared_ms=1000, committed_ms=0.1, drained_ms=10))
    assert [part.name for part in parts] == ["prepare", "commit", "drain"]
    assert sum(part.width for part in parts) == pytest.approx(1)
    assert min(part.width for part in parts) > 0.08
    assert parts[0].legible
    assert not parts[1].legible
    assert segments(Totals()) == ()


def test_operations_say_what_they_are_about() -> None:
    def card(change: object, *changes: PluginChange) -> OperationCard:
        return OperationCard.of(
            Operation(
                id="1",
                sequence=1,
                change=change,  # type: ignore[arg-type]  # one of several kinds
                actor="admin",
                created=0,
                updated=0,
                state=OperationState.SUCCEEDED,
                steps={},
                changes=changes,
            )
        )

    new = PluginChange(plugin="p", new_version="1.0", new_config_version=1)
    config = PluginChange(
        plugin="q", old_version="1", new_version="1", old_config_version=1, new_config_version=2
    )
    route = DeleteRoute(name="all")
    assert (card(route).target, card(route).kind) == ("all", "delete-route")
    upstream = PutUpstream(upstream=UpstreamSpec(name="sample", targets=()))
    assert card(upstream).target == "sample"
    assert card(FileSet()).target == "gateway.toml"
    both = card(Batch(changes=(route, upstream)), new, config)
    assert (both.target, both.what) == ("all, sample", "p none → 1.0; q config 1 → 2")
    many = Batch(changes=tuple(DeleteRoute(name=name) for name in "abcda"))
    assert card(many).target == "a, b, c and 1 more"
    server = ServerSpec(name="time", command="c")
    assert card(PutMcpServer(server=server)).target == "time"
    assert card(DeleteMcpServer(name="gone")).target == "gone"
    assert card(Disable(plugin="p")).target == "p"
    assert card(route, config).what == "config 1 → 2"


def test_files_that_are_not_there_are_found_out_at_once() -> None:
    assets = Assets()
    assert assets.url("main.js").startswith(f"/admin/static/{assets.version}/")
    with pytest.raises(NotFound):
        assets.url("main.ts")


def test_answers_are_kept_for_one_state_and_a_number_of_questions() -> None:
    kept, made = Listings(), list[str]()

    def make(word: str) -> bytes:
        made.append(word)
        return word.encode()

    one, two = object(), object()
    assert kept.get(one, "a", lambda: make("1")) == b"1"
    assert kept.get(one, "a", lambda: make("2")) == b"1"
    assert kept.get(two, "a", lambda: make("3")) == b"3"
    for number in range(MOST):
        kept.get(two, number, lambda: make("x"))
    assert kept.get(two, "a", lambda: make("4")) == b"4"
    assert made.count("x") == MOST
