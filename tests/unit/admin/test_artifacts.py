"""Artifacts over HTTP."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.artifacts import format_repr_digest

from ..artifacts.wheels import wheel_bytes
from .conftest import V1, World

if TYPE_CHECKING:
    from httpx import Response

TWO_FILES = (
    b'--b\r\ncontent-disposition: form-data; name="a"; filename="a"\r\n\r\n1\r\n'
    b'--b\r\ncontent-disposition: form-data; name="b"; filename="b"\r\n\r\n2\r\n--b--\r\n'
)
NAME = "plugbay_hello-1.0.0-py3-none-any.whl"


def events_of(text: str) -> list[tuple[str, Any]]:
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    found: list[tuple[str, Any]] = []
    for block in blocks:
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_a_good_wheel_is_validated_and_can_be_fetched(world: World) -> None:
    wheel = wheel_bytes()
    digest = hashlib.sha256(wheel).hexdigest()
    made = world.ask(
        "POST",
        f"/artifacts?filename={NAME}",
        content=wheel,
        headers={"repr-digest": format_repr_digest(digest)},
    )
    assert made.status_code == 201
    assert made.headers["location"] == f"{V1}/artifacts/{digest}"
    body = made.json()
    assert (body["state"], body["plugin"], body["version"]) == ("validated", "hello", "1.0.0")
    assert body["uploaded_by"] == "admin"
    assert [layer["result"] for layer in body["layers"]] == ["passed"] * 4
    assert "unpacked" not in body
    again = world.ask("POST", f"/artifacts?filename={NAME}", content=wheel)
    assert again.status_code == 200
    content = world.ask("GET", f"/artifacts/{digest}/content")
    assert content.content == wheel
    assert content.headers["repr-digest"] == format_repr_digest(digest)
    assert content.headers["content-disposition"] == f'attachment; filename="{NAME}"'
    one = world.ask("GET", f"/artifacts/{digest}")
    assert one.json() == body
    assert one.headers["etag"] == f'"{digest}.validated"'


def test_the_name_comes_from_the_header_or_the_form(world: World) -> None:
    wheel = wheel_bytes()
    for version, disposition in (
        ("1.0.0", f'attachment; filename="{NAME}"'),
        ("1.0.0", f"attachment; filename*=UTF-8''{NAME}"),
    ):
        headers = {"content-disposition": disposition}
        made = world.ask("POST", "/artifacts", content=wheel, headers=headers)
        assert made.json()["version"] == version
    form = {"note": (None, "x"), "file": (f"C:\\tmp\\{NAME}", wheel, "application/zip")}
    made = world.ask("POST", "/artifacts", files=form)
    assert (made.status_code, made.json()["filename"]) == (200, NAME)
    nameless = world.ask("POST", "/artifacts", content=wheel)
    assert (nameless.status_code, nameless.json()["type"]) == (422, "/problems/invalid")


@pytest.mark.parametrize(
    ("content_type", "body", "detail"),
    [
        ("multipart/form-data", b"x", "boundary"),
        ("multipart/form-data; boundary=b", b"no form at all", "cannot be read"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n',
            "no file",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\ncontent-disposition: form-data; name="a"; filename="a.whl"\r\n\r\ncut',
            "cannot be read",
        ),
        (
            "multipart/form-data; boundary=b",
            TWO_FILES,
            "more than one",
        ),
    ],
)
def test_a_broken_form_is_refused(
    world: World, content_type: str, body: bytes, detail: str
) -> None:
    headers = {"content-type": content_type}
    answer = world.ask("POST", "/artifacts", content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed")
    assert detail in answer.json()["detail"].lower()
    assert world.ask("GET", "/artifacts").json()["items"] == []


def test_a_bad_wheel_is_answered_with_every_finding_of_the_layer(world: World) -> None:
    manifest = 'id = "Bad Id"\nversion = "2"\napi = 99\nruntime = "python"\nentry = "nowhere"\n'
    wheel = wheel_bytes(manifest=manifest)
    answer = world.ask("POST", f"/artifacts?filename={NAME}", content=wheel)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/artifact-rejected")
    errors = answer.json()["errors"]
    assert len(errors) >= 3
    assert {error["layer"] for error in errors} == {"manifest"}
    assert {error["severity"] for error in errors} == {"error"}
    record = world.client.get(answer.headers["location"], headers=world.token()).json()
    assert record["state"] == "rejected"
    assert [layer["result"] for layer in record["layers"]][2:] == ["skipped", "skipped"]


def test_a_known_wheel_is_tried_with_the_configuration_that_comes_with_it(world: World) -> None:
    def push(config: str, **headers: str) -> Response:
        files = {"file": (NAME, wheel_bytes(), "application/octet-stream")}
        data = {"config": config}
        return world.ask("POST", "/artifacts", files=files, data=data, headers=headers)

    made = push('{"greeting": "kind"}')
    assert made.status_code == 201, made.text
    refused = push('{"fail": "load"}')
    assert (refused.status_code, refused.json()["errors"][0]["detail"]) == (422, "it fails")
    told = push('{"fail": "load"}', accept="text/event-stream").text
    assert "event: problem" in told
    assert "it fails" in told
    again = push('{"greeting": "loud"}')
    assert (again.status_code, again.json()) == (200, made.json())


def test_what_cannot_be_an_artifact_is_refused_before_it_is_kept(world: World) -> None:
    cases: list[tuple[bytes, dict[str, str], int]] = [
        (b"", {}, 400),
        (b"x" * (1024 * 1024 + 1), {}, 413),
        (b"x" * (2 * 1024 * 1024), {"transfer-encoding": "chunked"}, 413),
        (b"abc", {"repr-digest": "sha-256=:AAAA:"}, 400),
        (b"abc", {"repr-digest": format_repr_digest("0" * 64)}, 422),
    ]
    for content, headers, status in cases:
        answer = world.ask("POST", f"/artifacts?filename={NAME}", content=content, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert world.ask("GET", "/artifacts").json()["items"] == []
    assert list((world.path / "tmp").iterdir()) == []


def test_progress_is_told_layer_by_layer(world: World) -> None:
    headers = {"accept": "text/event-stream"}
    answer = world.ask(
        "POST", f"/artifacts?filename={NAME}", content=wheel_bytes(), headers=headers
    )
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = events_of(answer.text)
    assert events[0][0] == "uploaded"
    told = [(data["layer"], data["status"]) for name, data in events if name == "layer"]
    layers = ("form", "manifest", "platform", "trial")
    assert told == [(layer, status) for layer in layers for status in ("started", "passed")]
    assert events[-1][0] == "validated"
    assert events[-1][1]["state"] == "validated"


def test_a_rejection_is_told_as_an_event_too(world: World) -> None:
    headers = {"accept": "text/event-stream"}
    path = f"/artifacts?filename={NAME}"
    answer = world.ask("POST", path, content=b"not a zip", headers=headers)
    name, problem = events_of(answer.text)[-1]
    assert (name, problem["type"], problem["status"]) == (
        "problem",
        "/problems/artifact-rejected",
        422,
    )
    other = wheel_bytes(files={"plugbay_hello/extra.py": "x = 1\n"})
    world.upload()
    events = events_of(world.ask("POST", path, content=other, headers=headers).text)
    assert (events[-1][0], events[-1][1]["type"]) == ("problem", "/problems/conflict")


def test_the_list_is_paged_and_filtered(world: World) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        world.upload(version=version)
    world.upload(id="other")
    first = world.ask("GET", "/artifacts?plugin=hello&limit=2").json()
    assert [item["version"] for item in first["items"]] == ["1.2.0", "1.1.0"]
    rest = world.ask("GET", f"/artifacts?plugin=hello&limit=2&next={first['next']}").json()
    assert [item["version"] for item in rest["items"]] == ["1.0.0"]
    assert rest["next"] is None
    assert world.ask("GET", "/artifacts?state=rejected").json()["items"] == []
    bad = world.ask("GET", "/artifacts?limit=0")
    assert (bad.status_code, bad.json()["errors"][0]["parameter"]) == (422, "limit")


def test_an_artifact_in_use_stays(world: World) -> None:
    world.run()
    digest = world.ask("GET", "/plugins/hello").json()["desired"]["digest"]
    refused = world.ask("DELETE", f"/artifacts/{digest}")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    free = world.upload(version="1.1.0")
    assert world.ask("DELETE", f"/artifacts/{free}").status_code == 204
    assert world.ask("GET", f"/artifacts/{free}").status_code == 404
    assert world.ask("GET", f"/artifacts/{free}/content").status_code == 404


def test_damaged_bytes_are_a_problem_and_not_a_cut_answer(world: World) -> None:
    digest = world.upload()
    blob = world.path / "blobs" / "sha256" / digest[:2] / digest
    blob.chmod(0o600)
    blob.write_bytes(b"damaged")
    answer = world.ask("GET", f"/artifacts/{digest}/content")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
