"""`plugbay artifacts sbom` and `components`."""

from __future__ import annotations

import json

import pytest

ONE, TWO, THREE = "a1" * 32, "a1b2" * 16, "c3" * 32
BILL = {"bomFormat": "CycloneDX", "specVersion": "1.6"}


def item(digest, plugin, state="validated"):
    return {"digest": digest, "plugin": plugin, "state": state}


@pytest.fixture
def known(api):
    api.on("GET", "/plugins", {"items": [{"id": "geo", "desired": {"digest": ONE}}], "next": None})
    listed = [
        item(TWO, "geo"),
        item(ONE, "geo"),
        item(THREE, "off"),
        item("f" * 64, "x", "rejected"),
    ]
    api.on("GET", "/artifacts", {"items": listed, "next": None})
    for digest in (ONE, TWO, THREE):
        api.on("GET", f"/artifacts/{digest}/sbom", {**BILL, "serialNumber": digest})
    return api


@pytest.mark.parametrize(
    ("meant", "digest"),
    [("geo", ONE), ("off", THREE), (ONE, ONE), (ONE[:7], ONE), (TWO[:12], TWO)],
)
def test_what_is_meant(known, cli, meant, digest):
    done = cli("artifacts", "sbom", meant)
    assert done.code == 0, done.err
    assert json.loads(done.out)["serialNumber"] == digest


@pytest.mark.parametrize("meant", ["nope", "a1", "ffffffff"])
def test_what_is_not_there(known, cli, meant):
    done = cli("artifacts", "sbom", meant)
    assert (done.code, done.out) == (1, "")
    assert "artifact" in done.err


def test_who_ships_it(api, cli):
    part = {"name": "requests", "version": "2.31.0", "ecosystem": "pypi", "plugin": "geo"}
    part |= {"plugin_version": "1.0.0", "enabled": True, "certain": False, "artifact": ONE}
    api.on("GET", "/components", {"items": [part], "next": None})
    done = cli("artifacts", "components", "requests", "--version", "<2.32")
    assert done.out.splitlines()[1].split() == [
        *("requests", "2.31.0", "pypi", "geo", "1.0.0", "yes", "no")
    ]
    assert api.seen[-1].query == {"name": "requests", "version": "<2.32", "limit": "500"}
    assert cli("artifacts", "components", "requests", "-o", "json").json == [part]


def test_nobody_ships_it(api, cli):
    api.on("GET", "/components", {"items": [], "next": None})
    assert "no artifact" in cli("artifacts", "components", "requests").out
