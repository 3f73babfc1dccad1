"""What is printed."""

from __future__ import annotations

import json

import pytest

from plugbay.cli._output import Format, fit, print_facts, print_problem, print_rows


def test_rows_as_a_table(capsys):
    rows = [{"id": "a", "in_flight": 3, "on": True, "ms": 1.26, "tags": ["x"], "more": "[b]"}]
    print_rows(rows, ("id", "in_flight", "on", "ms", "tags", "more", "no"), Format.TABLE, empty="")
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "IN", "FLIGHT", "ON", "MS", "TAGS", "MORE", "NO"]
    assert row.split() == ["a", "3", "yes", "1.3", '["x"]', "[b]", "-"]


def test_piped_rows_are_not_broken(capsys):
    print_rows([{"text": "long " * 60}], ("text",), Format.TABLE, empty="")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_rows_are_cut_to_a_terminal_in_the_columns_that_may_be(capsys):
    def cells():
        return [["read_file", "path*", "Read a file " * 9], ["x", "a b c d e f g h i j k l m", "-"]]

    rows = cells()
    fit(rows, (1, 2), 60)
    assert rows[0][:2] == ["read_file", "path*"]
    assert rows[0][2].startswith("Read a file Read a")
    assert rows[0][2].endswith("…")
    assert max(sum(map(len, row)) + 4 for row in rows) <= 60
    wide = cells()
    fit(wide, (1, 2), 400)
    assert wide == cells()
    narrow = cells()
    fit(narrow, (1, 2), 10)  # never to nothing
    assert narrow[0][2] == "Read a file…"
    fit([], (0,), 10)


def test_no_rows(capsys):
    print_rows([], ("id",), Format.TABLE, empty="nothing here")
    assert capsys.readouterr().out == "nothing here\n"
    print_rows([], ("id",), Format.JSON, empty="nothing here")
    assert json.loads(capsys.readouterr().out) == []


def test_facts(capsys):
    facts = {"config_version": 3, "config": {}, "off": False, "names": ["a"], "none": None}
    print_facts(facts, Format.TABLE)
    assert capsys.readouterr().out.splitlines() == [
        "config version  3",
        "config          -",
        "off             no",
        'names           ["a"]',
        "none            -",
    ]
    print_facts(facts, Format.JSON)
    assert json.loads(capsys.readouterr().out) == facts


@pytest.mark.parametrize(
    ("problem", "lines"),
    [
        ({"title": "Not found", "detail": "no x"}, ["plugbay: Not found: no x"]),
        ({}, ["plugbay: refused"]),
        (
            {
                "title": "Invalid",
                "detail": "not valid: /limti: unknown key",
                "errors": [{"pointer": "/limti", "detail": "unknown key", "expected": "limit"}],
            },
            ["plugbay: Invalid: not valid: /limti: unknown key; expected limit"],
        ),
        (
            {
                "title": "Rejected",
                "detail": "two layers",
                "operation": "op-3",
                "errors": [
                    {"layer": "form", "detail": "no zip", "remedy": "build it anew"},
                    {"parameter": "wait", "detail": "bad", "expected": "a", "found": "b"},
                ],
            },
            [
                "plugbay: Rejected: two layers",
                "  form: no zip. build it anew",
                "  wait: bad; expected a; found b",
                "  operation op-3 has the details",
            ],
        ),
    ],
)
def test_a_problem_is_short_and_goes_to_standard_error(capsys, problem, lines):
    print_problem(problem)
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()) == ("", lines)
