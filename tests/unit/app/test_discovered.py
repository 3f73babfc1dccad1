"""Programs that the gateway finds by itself: they come in as uploads do, and wait to be enabled."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from bench._go import ROOT, build_go

from plugbay.app._clock import SystemClock
from plugbay.app._discovered import Discovery, manifest_of, signature_of
from plugbay.app._runners import make_runners
from plugbay.app.check import Trials, make_layers
from plugbay.artifacts import ArtifactStore, SignatureLayer, Uploader, Validator
from plugbay.artifacts.signing import (
    Trust,
    generate_key,
    load_private_key,
    public_pem,
    read_publisher,
    sign,
)
from plugbay.isolation import ProcessPolicy
from plugbay.kernel import ArtifactState, Invalid
from plugbay.km import discover
from plugbay.settings import DiscoverySettings, UploadSettings
from plugbay.storage import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    Said = list[dict[str, Any]]


def install(folder: Path, name: str, **manifest: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"km-plugin-{name}"
    shutil.copy(build_go(ROOT / "go/examples/km"), path)
    path.chmod(0o755)
    if manifest:
        (folder / f"{name}.manifest.json").write_text(json.dumps({"name": name, **manifest}))
    return path


def discovered(
    tmp_path: Path,
    trust: Trust,
    work: Callable[[Discovery, ArtifactStore, Said], Coroutine[Any, Any, None]],
) -> None:
    """Run `work` with what looks into `tmp_path / plugins`."""
    clock, said = SystemClock(), list[dict[str, Any]]()
    database = Database.open(tmp_path / "plugbay.sqlite3")
    try:
        store = ArtifactStore(tmp_path, database)
        policy = ProcessPolicy()
        runners = make_runners(tmp_path)
        trials = Trials(uploads=UploadSettings(), runners=runners, policy=policy, data=tmp_path)
        layers = make_layers(store, trials, SignatureLayer(trust, clock))
        looks = Discovery(
            DiscoverySettings(enabled=True, directories=(str(tmp_path / "plugins"),)),
            Uploader(store, clock),
            Validator(store, layers, clock),
            lambda topic, data: said.append({"topic": topic, **data}),
        )
        asyncio.run(work(looks, store, said))
    finally:
        database.close()


def test_what_is_found_is_validated_once_and_nobody_has_enabled_it(tmp_path: Path) -> None:
    pem = generate_key()
    key = tmp_path / "acme.pub"
    key.write_bytes(public_pem(load_private_key(pem).public_key()))
    trust = Trust(policy="enforce", publishers=(read_publisher("acme", keys=(str(key),)),))
    good = install(tmp_path / "plugins", "console-logger", version="v1.0.0", description="Logs")
    digest = hashlib.sha256(good.read_bytes()).hexdigest()
    envelope = sign(good.name, digest, load_private_key(pem), now=time.time())
    signature_of(good).write_bytes(envelope.encode())
    other = install(tmp_path / "plugins", "other")
    other.write_bytes(other.read_bytes() + b"\0")

    async def work(looks: Discovery, store: ArtifactStore, said: Said) -> None:
        await looks.look()
        first, second = said
        assert (first["topic"], first["state"]) == ("artifact.discovered", "validated")
        artifact = store.get(digest)
        assert (artifact.plugin, artifact.version, artifact.uploaded_by) == (
            "console-logger",
            "1.0.0",
            "discovery",
        )
        assert artifact.provenance is not None
        assert artifact.provenance.publisher == "acme"
        assert (second["state"], "not signed" in second["detail"]) == ("rejected", True)
        await looks.look()
        assert len(said) == 2
        other.chmod(0o757)
        other.touch()
        await looks.look()
        refused = f"everybody may write to it: chmod o-w {other}"
        assert (said[2]["state"], said[2]["detail"]) == ("refused", refused)
        assert [one.state for one in store.list()].count(ArtifactState.VALIDATED) == 1

    discovered(tmp_path, trust, work)


def test_a_manifest_is_made_of_what_is_said_beside_the_program(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    for name in ("Api_Logger", "__"):
        (folder / f"km-plugin-{name}").write_text("")
    found, _ = discover([folder])
    named, nameless = sorted(found, key=lambda one: one.path.name)
    made = manifest_of(named)
    assert (made.id, made.version, made.entry, made.mcp.mode) == (
        "api-logger",
        "0",
        "km",
        "observe",
    )
    with pytest.raises(Invalid, match="makes no id"):
        manifest_of(nameless)
