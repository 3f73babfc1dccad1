"""The store: versions, conflicts, deletion, damage, and what a crash leaves behind."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts import ArtifactStore, TrialLayer, check, sweep
from plugbay.kernel import (
    ArtifactState,
    Conflict,
    IllegalTransition,
    NotFound,
    Unavailable,
)

from .conftest import Bench, passing_trial
from .wheels import SOURCE, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

OTHER = SOURCE + "\n# other bytes\n"


def test_versions_are_ordered_as_versions(bench: Bench, tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        bench.check(make_wheel(tmp_path, version=version))
    bench.check(make_wheel(tmp_path, id="other"))
    assert [a.version for a in bench.store.versions("hello")] == ["1.10.0", "1.9.0", "1.2.0"]
    assert {a.plugin for a in bench.store.list(plugin="other")} == {"other"}
    assert len(bench.store.list(state=ArtifactState.VALIDATED)) == 4


def test_what_is_not_there_is_not_found(bench: Bench) -> None:
    with pytest.raises(NotFound):
        bench.store.get("0" * 64)
    with pytest.raises(NotFound, match=r"no version 1\.0 of the plugin hello"):
        bench.store.find("hello", "1.0")
    with pytest.raises(NotFound):
        asyncio.run(bench.store.delete("0" * 64))
    with pytest.raises(NotFound):
        asyncio.run(bench.store.payload("0" * 64))


def test_a_version_is_never_replaced(bench: Bench, tmp_path: Path) -> None:
    first = bench.check(make_wheel(tmp_path))
    other = make_wheel(tmp_path, source=OTHER)
    with pytest.raises(Conflict, match="never replaced"):
        bench.check(other)
    assert bench.store.find("hello", "1.0.0").digest == first.digest
    (refused,) = bench.store.list(state=ArtifactState.REJECTED)
    assert refused.findings[-1].pointer == "/version"
    assert [path.rsplit("/", 1)[1] for path in bench.leftovers()] == [first.digest]


def test_a_deleted_version_may_be_uploaded_anew(bench: Bench, tmp_path: Path) -> None:
    first = bench.check(make_wheel(tmp_path))
    asyncio.run(bench.store.delete(first.digest))
    assert bench.leftovers() == []
    assert bench.check(make_wheel(tmp_path, source=OTHER)).state is ArtifactState.VALIDATED


def test_of_two_racing_for_a_version_one_wins(bench: Bench, tmp_path: Path) -> None:
    """Both pass the early check, because both are in the last layer at the same time."""
    (tmp_path / "b").mkdir()
    wheels = [make_wheel(tmp_path), make_wheel(tmp_path / "b", source=OTHER)]

    async def scenario() -> list[object]:
        both = asyncio.Barrier(2)

        class Meeting:
            name = "meeting"
            eager = False

            async def inspect(self, subject: object) -> list[object]:
                await both.wait()
                return []

        digests = [(await bench.upload(wheel)).digest for wheel in wheels]
        validator = bench.validator(*bench.layers(), Meeting())  # type: ignore[arg-type]  # it finds nothing
        work = [validator.validate(digest) for digest in digests]
        return await asyncio.gather(*work, return_exceptions=True)

    results = asyncio.run(scenario())
    assert sum(isinstance(result, Conflict) for result in results) == 1
    states = sorted(artifact.state for artifact in bench.store.list())
    assert states == [ArtifactState.REJECTED, ArtifactState.VALIDATED]
    assert len(bench.leftovers()) == 1


def test_an_artifact_in_use_is_not_deleted(bench: Bench, tmp_path: Path) -> None:
    digest = bench.check(make_wheel(tmp_path)).digest
    with pytest.raises(Conflict, match="in use"):
        asyncio.run(bench.store.delete(digest, in_use={digest}))
    assert bench.store.get(digest).state is ArtifactState.VALIDATED


def test_only_a_validated_artifact_is_revoked(bench: Bench, tmp_path: Path) -> None:
    artifact = asyncio.run(bench.upload(make_wheel(tmp_path)))
    with pytest.raises(IllegalTransition):
        asyncio.run(bench.store.revoke(artifact.digest))
    asyncio.run(bench.validator().validate(artifact.digest))
    assert asyncio.run(bench.store.revoke(artifact.digest)).state is ArtifactState.REVOKED
    assert bench.store.versions("hello")[0].state is ArtifactState.REVOKED


def test_a_rejected_artifact_keeps_its_record_and_not_its_bytes(
    bench: Bench, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, manifest="id = 1")
    rejected = bench.check(wheel)
    assert rejected.state is ArtifactState.REJECTED
    assert rejected.findings
    assert bench.leftovers() == []
    assert bench.store.get(rejected.digest) == rejected
    again = bench.check(wheel)  # the same bytes are judged again
    assert again.state is ArtifactState.REJECTED


def test_damaged_bytes_are_never_read(bench: Bench, tmp_path: Path) -> None:
    digest = bench.check(make_wheel(tmp_path)).digest
    blob = bench.store.blobs.path(digest)
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")

    async def read() -> None:
        async for _ in bench.store.content(digest):
            raise AssertionError("not one byte")

    with pytest.raises(Unavailable, match="damaged"):
        asyncio.run(read())
    with pytest.raises(Unavailable, match="damaged"):
        asyncio.run(bench.store.payload(digest))
    assert asyncio.run(check(bench.store)).corrupt == (digest,)
    blob.unlink()
    with pytest.raises(NotFound, match="not on this disk"):
        asyncio.run(read())
    assert asyncio.run(check(bench.store)).missing == (digest,)


def test_the_payload_is_read_only_and_made_again(bench: Bench, tmp_path: Path) -> None:
    files = {"plugbay_hello/sub/data.txt": "x"}
    trial = TrialLayer(passing_trial, bench.store.payload)
    artifact = bench.check(make_wheel(tmp_path, files=files), *bench.layers(), trial)
    folder = asyncio.run(bench.store.payload(artifact.digest))
    assert artifact.unpacked == str(folder)
    assert (folder / "plugbay_hello" / "sub" / "data.txt").read_text() == "x"
    for path in (folder, *folder.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o222, path
    bench.store.unpacked.remove(artifact.digest)
    bench.store.unpacked.remove(artifact.digest)
    assert bench.store.get(artifact.digest).unpacked == ""
    assert asyncio.run(bench.store.payload(artifact.digest)) == folder
    assert list(bench.store.tmp.iterdir()) == []


def test_a_payload_is_unpacked_once_however_many_ask(bench: Bench, tmp_path: Path) -> None:
    digest = bench.check(make_wheel(tmp_path)).digest

    async def scenario() -> set[Path]:
        return set(await asyncio.gather(*(bench.store.payload(digest) for _ in range(8))))

    assert len(asyncio.run(scenario())) == 1
    assert list(bench.store.tmp.iterdir()) == []


def test_an_artifact_deleted_while_it_is_unpacked_leaves_nothing(
    bench: Bench, tmp_path: Path
) -> None:
    async def scenario(steps: int) -> None:
        digest = (await bench.push(make_wheel(tmp_path))).digest
        work = asyncio.ensure_future(bench.store.payload(digest))
        for _ in range(steps):
            await asyncio.sleep(0)
        await bench.store.delete(digest)
        await asyncio.gather(work, return_exceptions=True)
        assert bench.leftovers() == []

    for steps in range(0, 40, 4):
        asyncio.run(scenario(steps))


def test_an_unpacking_that_fails_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    digest = bench.check(make_wheel(tmp_path)).digest
    bench.store.unpacked.root.rmdir()
    with pytest.raises(Unavailable, match="cannot be unpacked"):
        asyncio.run(bench.store.payload(digest))
    assert list(bench.store.tmp.iterdir()) == []


def test_sweeping_removes_what_a_crash_left(bench: Bench, tmp_path: Path) -> None:
    digest = bench.check(make_wheel(tmp_path)).digest
    asyncio.run(bench.store.payload(digest))
    before = bench.leftovers()
    (bench.store.tmp / "upload-1").write_bytes(b"half")
    half = bench.store.tmp / "unpack-1" / "sub"
    half.mkdir(parents=True)
    (half / "file").write_bytes(b"half")
    half.chmod(0o500)
    orphan = "ab" * 32
    bench.store.blobs.path(orphan).parent.mkdir(exist_ok=True)
    bench.store.blobs.path(orphan).write_bytes(b"renamed, and then the power went")
    (bench.store.unpacked.root / orphan).mkdir()
    (bench.store.blobs.root / "ab" / "strange").write_bytes(b"not ours")

    report = asyncio.run(check(bench.store))
    assert report.sound
    assert report.orphans == (orphan,)
    assert report.temporary == ("unpack-1", "upload-1")
    assert asyncio.run(sweep(bench.store)) == report
    assert bench.leftovers() == sorted([*before, "blobs/sha256/ab/strange"])


def test_a_restart_validates_what_was_left_uploaded(bench: Bench, tmp_path: Path) -> None:
    good = asyncio.run(bench.upload(make_wheel(tmp_path)))
    bad = asyncio.run(bench.upload(make_wheel(tmp_path, version="2.0", manifest="x = 1")))
    same = asyncio.run(bench.upload(make_wheel(tmp_path, source=OTHER)))
    gone = asyncio.run(bench.upload(make_wheel(tmp_path, version="3.0")))
    bench.store.blobs.remove(gone.digest)

    again = Bench(bench.data)
    asyncio.run(sweep(again.store))
    settled = asyncio.run(again.validator().recover())
    states = {artifact.digest: artifact.state for artifact in settled}
    assert states.pop(bad.digest) is ArtifactState.REJECTED
    assert states.keys() == {good.digest, same.digest}
    assert sorted(states.values()) == [ArtifactState.REJECTED, ArtifactState.VALIDATED]
    with pytest.raises(NotFound):
        again.store.get(gone.digest)
    again.db.close()


def test_a_second_store_reads_what_the_first_wrote(bench: Bench, tmp_path: Path) -> None:
    artifact = bench.check(make_wheel(tmp_path))
    assert ArtifactStore(bench.data, bench.db).get(artifact.digest) == artifact
