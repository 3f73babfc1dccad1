"""Plugins over HTTP: a real coordinator and two workers carry the changes out."""

from __future__ import annotations

import time

from plugbay.admin import LogLine

from .conftest import V1, World


def test_a_plugin_is_enabled_swapped_and_rolled_back_with_receipts(world: World) -> None:
    world.upload(version="1.0.0")
    new = world.upload(version="1.1.0")
    done = world.change("PUT", "/plugins/hello?reason=first", json={"version": "1.0.0"})
    assert (done["state"], done["reason"], done["kind"]) == ("succeeded", "first", "enable")
    assert done["receipt"]["totals"]["workers"] == 2
    assert done["receipt"]["totals"]["dropped"] == 0
    assert [step["state"] for step in done["steps"]] == ["drained", "drained"]
    swapped = world.change(
        "PUT", "/plugins/hello", json={"digest": new}, headers=world.etag("/plugins/hello")
    )
    change = swapped["receipt"]["changes"][0]
    assert (change["old_version"], change["new_version"]) == ("1.0.0", "1.1.0")
    world.change("POST", "/plugins/hello/rollback")
    view = world.ask("GET", "/plugins/hello").json()
    assert view["desired"]["version"] == "1.0.0"
    assert view["versions"] == ["1.1.0", "1.0.0"]
    assert view["state"] == "active"
    assert view["generation"] == view["observed_generation"]
    truths = {one["type"]: one["status"] for one in view["conditions"]}
    assert truths == {"Converged": "True", "Serving": "True", "Quarantined": "False"}
    assert [one["slot"]["state"] for one in view["workers"]] == ["active", "active"]


def test_a_pinned_plugin_is_not_moved(world: World) -> None:
    world.upload(version="1.0.0")
    world.upload(version="1.1.0")
    world.run(version="1.0.0")
    world.change("POST", "/plugins/hello/pin?reason=release+week")
    held = world.ask("GET", "/plugins/hello").json()["desired"]["pin"]
    assert (held["by"], held["why"]) == ("admin", "release week")
    wish = {"version": "1.1.0"}
    refused = world.ask("PUT", "/plugins/hello", json=wish, headers=world.etag("/plugins/hello"))
    assert refused.status_code == 409
    assert "hello is pinned to 1.0.0 by admin" in refused.json()["detail"]
    assert "release week" in refused.json()["detail"]
    for method, path in (("POST", "/plugins/hello/enable"), ("POST", "/plugins/hello/reload")):
        world.change(method, path)
    deleted = world.ask("DELETE", "/plugins/hello", headers=world.etag("/plugins/hello"))
    assert deleted.status_code == 409
    world.change("POST", "/plugins/hello/unpin")
    world.change("PUT", "/plugins/hello", json=wish, headers=world.etag("/plugins/hello"))
    acts = [(record["act"], record["target"]) for record in world.audited]
    assert ("pinPlugin", "plugins/hello") in acts
    assert ("unpinPlugin", "plugins/hello") in acts
    assert world.ask("POST", "/plugins/nobody/pin").status_code == 404


def test_without_waiting_a_change_is_accepted_with_its_place(world: World) -> None:
    world.upload()
    answer = world.ask("PUT", "/plugins/hello", json={"version": "1.0.0"})
    assert answer.status_code == 202
    body = answer.json()
    assert answer.headers["location"] == f"{V1}/operations/{body['id']}"
    assert answer.headers["retry-after"] == "1"
    deadline = time.monotonic() + 100
    place = f"/operations/{body['id']}"
    while not (now := world.ask("GET", place)).json()["finished"]:
        assert now.headers["retry-after"] == "1"
        assert time.monotonic() < deadline
    assert now.json()["state"] == "succeeded"
    assert "retry-after" not in now.headers
    assert now.headers["etag"] == world.ask("GET", place).headers["etag"]


def test_if_match_guards_what_exists(world: World) -> None:
    world.run()
    path, wish = "/plugins/hello", {"config": {"greeting": "hi"}}
    missing = world.ask("PUT", path, json=wish)
    assert (missing.status_code, missing.json()["type"]) == (428, "/problems/precondition-required")
    stale = world.etag(path)
    world.change("PUT", path, json=wish, headers=stale)
    late = world.ask("PUT", path, json={"config": {}}, headers=stale)
    assert (late.status_code, late.json()["type"]) == (412, "/problems/precondition-failed")
    assert world.ask("POST", f"{path}/disable", headers=stale).status_code == 412
    assert world.ask("PUT", path, json=wish, headers={"if-none-match": "*"}).status_code == 412
    none = world.ask("PUT", "/plugins/none", json=wish, headers={"if-match": '"1"'})
    assert none.status_code in (412, 422)
    world.change("PUT", path, json=wish, headers={"if-match": "*"})
    world.change("DELETE", path, headers={"if-match": f'"9999", {world.etag(path)["if-match"]}'})
    assert world.ask("GET", path).status_code == 404


def test_a_plugin_that_will_not_start_changes_nothing(world: World) -> None:
    world.run()
    before = world.ask("GET", "/plugins/hello").json()["desired"]
    for fail, why in (("load", "it would not load"), ("start", "it would not start")):
        answer = world.ask(
            "PUT",
            "/plugins/hello?wait=converged",
            json={"config": {"fail": fail}},
            headers=world.etag("/plugins/hello"),
        )
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/change-refused")
        assert why in answer.json()["detail"]
        operation = world.ask("GET", f"/operations/{answer.json()['operation']}").json()
        assert operation["state"] == "failed"
    assert world.ask("GET", "/plugins/hello").json()["desired"] == before


def test_what_is_wrong_is_said_at_once(world: World) -> None:
    digest, other = world.upload(), world.upload(id="other")
    cases = [
        ({}, 422, "/version"),
        ({"version": "9"}, 404, None),
        ({"version": "1.0.0", "digest": other}, 422, "/digest"),
        ({"digest": digest, "config": {"greting": 1}}, 422, "/greting"),
        ({"digest": digest, "routes": ["none"]}, 422, "/plugins/hello/routes"),
        ({"digest": other}, 422, None),
        ({"digest": digest, "on_error": "shut"}, 422, "/on_error"),
    ]
    for wish, status, pointer in cases:
        answer = world.ask("PUT", "/plugins/hello", json=wish)
        assert answer.status_code == status, answer.text
        if pointer:
            assert answer.json()["errors"][0]["pointer"] == pointer
    for path in ("?wait=forever", "?wait=converged&timeout=x", "?wait=converged&timeout=1e9"):
        answer = world.ask("PUT", f"/plugins/hello{path}", json={"digest": digest})
        assert answer.status_code == 422
    long = {"idempotency-key": "x" * 256}
    answer = world.ask("PUT", "/plugins/hello", json={"digest": digest}, headers=long)
    assert answer.status_code == 400
    assert world.ask("GET", "/plugins").json()["items"] == []


def test_a_change_with_a_key_is_made_once(world: World) -> None:
    world.run()
    match, key = world.etag("/plugins/hello"), {"idempotency-key": '"k1"'}
    wish = {"config": {"greeting": "hi"}}
    first = world.change("PUT", "/plugins/hello", json=wish, headers={**match, **key})
    again = world.change("PUT", "/plugins/hello", json=wish, headers={**match, **key})
    assert again["id"] == first["id"]
    other = world.ask("POST", "/plugins/hello/reload", headers=key)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/conflict")


def test_disable_enable_reload(world: World) -> None:
    world.run()
    world.change("POST", "/plugins/hello/disable")
    view = world.ask("GET", "/plugins/hello").json()
    assert (view["state"], view["desired"]["enabled"]) == ("disabled", False)
    truths = {one["type"]: one["status"] for one in view["conditions"]}
    assert (truths["Converged"], truths["Serving"]) == ("True", "False")
    world.change("POST", "/plugins/hello/enable")
    before = world.ask("GET", "/plugins/hello").json()["workers"][0]["slot"]["generation"]
    world.change("POST", "/plugins/hello/reload")
    after = world.ask("GET", "/plugins/hello").json()["workers"][0]["slot"]["generation"]
    assert after == before + 1
    for action in ("enable", "disable", "reload", "rollback"):
        assert world.ask("POST", f"/plugins/none/{action}").status_code == 404


def test_a_needed_plugin_is_not_disabled_unless_by_force(world: World) -> None:
    manifest = (
        'id = "needy"\nversion = "1.0.0"\napi = 1\nruntime = "python"\n'
        'entry = "plugbay_needy:Hello"\nprovides = ["request-filter"]\n'
        '[requires]\nhello = ">=1"\n'
    )
    world.run()
    world.upload(id="needy", manifest=manifest)
    world.run("needy")
    refused = world.ask("POST", "/plugins/hello/disable")
    assert refused.status_code == 409
    assert "needy" in refused.json()["detail"]
    world.change("POST", "/plugins/hello/disable?force=true")
    listed = world.ask("GET", "/plugins?enabled=false").json()["items"]
    assert [view["id"] for view in listed] == ["hello", "needy"]


def test_the_list_is_filtered_and_paged(world: World) -> None:
    for id in ("alpha", "beta", "betamax"):
        world.run(id)
    ids = [view["id"] for view in world.ask("GET", "/plugins?q=beta").json()["items"]]
    assert ids == ["beta", "betamax"]
    page = world.ask("GET", "/plugins?limit=2").json()
    assert [view["id"] for view in page["items"]] == ["alpha", "beta"]
    rest = world.ask("GET", f"/plugins?limit=2&next={page['next']}").json()
    assert [view["id"] for view in rest["items"]] == ["betamax"]
    assert world.ask("GET", "/plugins?state=failed").json()["items"] == []
    assert len(world.ask("GET", "/plugins?state=active&enabled=true").json()["items"]) == 3


def test_versions_and_logs(world: World) -> None:
    assert world.ask("GET", "/plugins/hello/versions").status_code == 404
    world.run()
    found = world.ask("GET", "/plugins/hello/versions").json()["items"]
    assert [item["version"] for item in found] == ["1.0.0"]
    for number in range(3):
        world.logs.add("hello", LogLine(time=number, level="info", message=f"line {number}"))
    lines = world.ask("GET", "/plugins/hello/logs?limit=2").json()["items"]
    assert [line["message"] for line in lines] == ["line 1", "line 2"]
    assert world.ask("GET", "/plugins/none/logs").status_code == 404


def test_a_viewer_reads_and_changes_nothing(world: World) -> None:
    world.run()
    viewer = world.token("read")
    assert world.client.get(f"{V1}/plugins/hello", headers=viewer).status_code == 200
    for method, path in (
        ("POST", "/plugins/hello/reload"),
        ("PUT", "/plugins/hello/config"),
        ("DELETE", "/routes/a"),
        ("POST", "/apply"),
        ("POST", "/artifacts"),
        ("POST", "/workers/w0/restart"),
        ("GET", "/me"),
    ):
        answer = world.client.request(method, f"{V1}{path}", headers=viewer)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")


def test_the_status_of_fifty_plugins_costs_no_query(world: World) -> None:
    digests = [(f"p{n}", world.upload(id=f"p{n}")) for n in range(50)]
    document = {"plugins": [{"id": id, "version": "1.0.0"} for id, _ in digests]}
    world.change("POST", "/apply", json=document)
    queries: list[str] = []
    world.db._reader.set_trace_callback(queries.append)  # pyright: ignore[reportPrivateUsage]
    answer = world.ask("GET", "/plugins?limit=50")
    world.db._reader.set_trace_callback(None)  # pyright: ignore[reportPrivateUsage]
    assert len(answer.json()["items"]) == 50
    # One: whose token this is.
    assert len(queries) == 1, queries
