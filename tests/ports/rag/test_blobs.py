"""Originals and uploads: resumable, sealed, whole or not there; a full disk is told as such and loses nothing."""

import asyncio
import errno
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest
from meshkit.clock import FakeClock
from meshkit.errors import Conflict, DataCorrupted, FailedPrecondition, InvalidArgument, MeshError, NotFound, QuotaExceeded, Unavailable
from meshkit.testing.keys import commitment_ring, payload_sealer
from rag.adapters import turns
from rag.adapters.file_blobs import MAX_BYTES, FileBlobs
from rag.adapters.sealed_files import PART_BYTES
from rag.ports import Upload

T, P = "harbour", "desk"
CONTENT = "保险责任 unmistakable ".encode() * 90_000  # three parts, the last one short
PARTS = {offset: CONTENT[offset : offset + PART_BYTES] for offset in range(0, len(CONTENT), PART_BYTES)}


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return FileBlobs(
        tmp_path / "原件", payload_sealer(), commitment_ring(), FakeClock(time.time()), open_bytes=4 * len(CONTENT), open_uploads=3
    )


def digest(content: bytes = CONTENT) -> bytes:
    return sha256(content).digest()


async def handed_in(blobs: FileBlobs, principal: str = P, tenant: str = T) -> str:
    upload = await blobs.begin(tenant, principal, len(CONTENT), digest())
    for offset, part in PARTS.items():
        upload = await blobs.put_part(tenant, principal, upload.upload_id, offset, part)
    assert upload.received_bytes == len(CONTENT)
    return upload.upload_id


async def committed(blobs: FileBlobs, tenant: str, principal: str, upload_id: str) -> tuple[str, Upload]:
    async with blobs.commit(tenant, principal, upload_id) as found:
        return found


async def kept(blobs: FileBlobs, tenant: str, content: bytes) -> str:
    async with blobs.keep(tenant, content) as blob:
        return blob


async def nobody() -> bool:
    """Whether a version refers to an original."""
    return False


async def refused(awaitable: object) -> str:
    with pytest.raises(MeshError) as error:
        await awaitable  # type: ignore[misc]
    return error.value.reason


async def test_an_upload_goes_on_where_it_stopped(blobs: FileBlobs) -> None:
    upload = await blobs.begin(T, P, len(CONTENT), digest())
    assert upload.received_bytes == 0
    offsets = list(PARTS)
    assert len(offsets) == 3
    await blobs.put_part(T, P, upload.upload_id, offsets[2], PARTS[offsets[2]])
    await blobs.put_part(T, P, upload.upload_id, 0, PARTS[0])
    again = await blobs.begin(T, P, len(CONTENT), digest())
    assert (again.upload_id, again.received_bytes) == (upload.upload_id, PART_BYTES)
    assert await refused(committed(blobs, T, P, upload.upload_id)) == "UPLOAD_INCOMPLETE"
    assert (await blobs.put_part(T, P, upload.upload_id, 0, PARTS[0])).received_bytes == PART_BYTES
    assert (await blobs.put_part(T, P, upload.upload_id, PART_BYTES, PARTS[PART_BYTES])).received_bytes == len(CONTENT)
    blob, whole = await committed(blobs, T, P, upload.upload_id)
    assert await blobs.read(T, blob) == CONTENT
    assert await committed(blobs, T, P, upload.upload_id) == await committed(blobs, T, "", upload.upload_id) == (blob, whole)
    assert (await blobs.begin(T, P, len(CONTENT), digest())).received_bytes == len(CONTENT)


@pytest.mark.parametrize("offset, part", [(1, b"x"), (0, b"short"), (PART_BYTES * 9, b"x"), (2 * PART_BYTES, b"x" * PART_BYTES)])
async def test_parts_stand_where_they_belong(blobs: FileBlobs, offset: int, part: bytes) -> None:
    upload = await blobs.begin(T, P, len(CONTENT), digest())
    with pytest.raises(InvalidArgument) as error:
        await blobs.put_part(T, P, upload.upload_id, offset, part)
    assert error.value.reason == "PART_MISPLACED"


async def test_another_part_at_the_same_place(blobs: FileBlobs) -> None:
    upload = await blobs.begin(T, P, len(CONTENT), digest())
    await blobs.put_part(T, P, upload.upload_id, 0, PARTS[0])
    with pytest.raises(Conflict) as error:
        await blobs.put_part(T, P, upload.upload_id, 0, bytes(PART_BYTES))
    assert error.value.reason == "PART_CONFLICT"


async def test_content_other_than_announced(blobs: FileBlobs) -> None:
    upload = await blobs.begin(T, P, 3, digest(b"abc"))
    await blobs.put_part(T, P, upload.upload_id, 0, b"abd")
    assert await refused(committed(blobs, T, P, upload.upload_id)) == "DIGEST_MISMATCH"
    assert (await blobs.begin(T, P, 3, digest(b"abc"))).received_bytes == 0


async def test_nobody_goes_on_with_an_upload_of_others(blobs: FileBlobs) -> None:
    """Who knows only the digest of what another handed in gets nothing."""
    upload_id = await handed_in(blobs)
    await committed(blobs, T, P, upload_id)
    assert await refused(committed(blobs, T, "other", upload_id)) == "UPLOAD_NOT_FOUND"
    assert await refused(committed(blobs, "harbour-2", P, upload_id)) == "UPLOAD_NOT_FOUND"
    assert await refused(blobs.put_part(T, P, "../../x", 0, b"x")) == "UPLOAD_NOT_FOUND"
    own = await blobs.begin(T, "other", len(CONTENT), digest())
    assert (own.upload_id != upload_id, own.received_bytes) == (True, 0)


async def test_names_tell_nothing_and_tenants_share_nothing(blobs: FileBlobs) -> None:
    one, other = await kept(blobs, T, CONTENT), await kept(blobs, "harbour-2", CONTENT)
    assert one != other and digest().hex() not in (one, other)
    assert await kept(blobs, T, CONTENT) == one
    assert await refused(blobs.read("harbour-2", one)) == "BLOB_NOT_FOUND"
    assert await refused(blobs.read(T, "../../etc/passwd")) == "BLOB_NOT_FOUND"


async def test_nothing_lies_there_in_clear(blobs: FileBlobs, tmp_path: Path) -> None:
    upload = await blobs.begin(T, P, len(CONTENT), digest())
    await blobs.put_part(T, P, upload.upload_id, 0, PARTS[0])
    await kept(blobs, T, CONTENT)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 3
    for path in files:
        assert b"unmistakable" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


async def test_a_destroyed_original_is_gone_with_its_key(blobs: FileBlobs, tmp_path: Path) -> None:
    upload_id = await handed_in(blobs)
    blob, _ = await committed(blobs, T, P, upload_id)
    (path,) = tmp_path.rglob(f"originals/{blob}")
    kept = tmp_path / "what the disk still holds"
    os.link(path, kept)
    await blobs.destroy(T, blob, unless=nobody)
    await blobs.destroy(T, blob, unless=nobody)
    assert await refused(blobs.read(T, blob)) == "BLOB_NOT_FOUND"
    assert await refused(committed(blobs, T, P, upload_id)) == "UPLOAD_NOT_FOUND"
    os.link(kept, path)
    with pytest.raises(DataCorrupted):
        await blobs.read(T, blob)


@pytest.mark.parametrize("place", [10, 200, -10])
async def test_damage_is_told(blobs: FileBlobs, tmp_path: Path, place: int) -> None:
    blob = await kept(blobs, T, CONTENT)
    (path,) = tmp_path.rglob(f"originals/{blob}")
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataCorrupted):
        await blobs.read(T, blob)
    path.write_bytes(content[:-PART_BYTES])
    with pytest.raises(DataCorrupted):
        await blobs.read(T, blob)


async def test_a_tenant_has_so_much_under_way(blobs: FileBlobs) -> None:
    for number in range(3):
        await blobs.begin(T, f"p{number}", len(CONTENT), digest())
    with pytest.raises(QuotaExceeded) as error:
        await blobs.begin(T, "p9", 1, digest(b"x"))
    assert error.value.reason == "UPLOADS_FULL"
    await blobs.begin(T, "p0", len(CONTENT), digest())
    await blobs.begin("harbour-2", "p9", 4 * len(CONTENT), digest())
    assert await refused(blobs.begin("harbour-2", "p8", 1, digest())) == "UPLOADS_FULL"


async def test_what_is_committed_is_not_under_way(blobs: FileBlobs) -> None:
    await committed(blobs, T, P, await handed_in(blobs))
    for number in range(3):
        await blobs.begin(T, f"p{number}", len(CONTENT), digest())


async def test_what_nobody_touches_is_swept(blobs: FileBlobs, tmp_path: Path) -> None:
    upload = await blobs.begin(T, P, len(CONTENT), digest())
    blob = await kept(blobs, T, CONTENT)
    half = next(tmp_path.rglob(f"originals/{blob}")).with_suffix(".0.tmp")
    half.write_bytes(b"half")
    assert (await blobs.sweep(100.0), half.exists()) == (0, True)
    assert (await blobs.sweep(-100.0), half.exists()) == (1, False)
    assert await refused(blobs.put_part(T, P, upload.upload_id, 0, PARTS[0])) == "UPLOAD_NOT_FOUND"
    assert await blobs.read(T, blob) == CONTENT


@pytest.mark.parametrize("code, reason", [(errno.ENOSPC, "DISK_FULL"), (errno.EDQUOT, "DISK_FULL"), (errno.EIO, "BLOBS_UNAVAILABLE")])
async def test_a_disk_that_refuses(blobs: FileBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, reason: str) -> None:
    upload = await blobs.begin(T, P, len(CONTENT), digest())
    sync = os.fsync

    def failing(descriptor: int) -> None:
        raise OSError(code, "refused")

    monkeypatch.setattr(os, "fsync", failing)
    for write in (blobs.put_part(T, P, upload.upload_id, 0, PARTS[0]), kept(blobs, T, CONTENT)):
        with pytest.raises(Unavailable) as error:
            await write
        assert error.value.reason == reason
    assert not list(tmp_path.rglob("*.tmp"))
    monkeypatch.setattr(os, "fsync", sync)
    blob, _ = await committed(blobs, T, P, await handed_in(blobs))
    assert await blobs.read(T, blob) == CONTENT


@pytest.mark.parametrize("size, reason", [(0, "DOCUMENT_EMPTY"), (MAX_BYTES + 1, "DOCUMENT_TOO_LARGE"), (2**63, "DOCUMENT_TOO_LARGE")])
async def test_sizes(blobs: FileBlobs, size: int, reason: str) -> None:
    assert await refused(blobs.begin(T, P, size, digest())) == reason
    assert await refused(blobs.begin(T, P, 5, b"short")) == "DIGEST_INVALID"
    with pytest.raises(InvalidArgument):
        await blobs.begin("../x", P, 5, digest())


async def test_commits_side_by_side_answer_alike(blobs: FileBlobs) -> None:
    upload_id = await handed_in(blobs)
    answers = await asyncio.gather(*(committed(blobs, T, P, upload_id) for _ in range(4)))
    assert len({blob for blob, _ in answers}) == 1
    with pytest.raises((FailedPrecondition, NotFound)):
        await committed(blobs, T, P, "0" * 64)


@pytest.mark.parametrize("by", ["event", "upload"])
async def test_what_is_handed_in_while_it_is_destroyed_is_there_afterwards(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    blob, waited, tried = await kept(blobs, T, CONTENT), asyncio.Event(), turns._tried
    upload_id = await handed_in(blobs)
    handing: list[asyncio.Task[object]] = []

    def trying(file: BinaryIO, how: int) -> bool:
        turn = tried(file, how)
        waited.set() if not turn else None
        return turn

    async def handed_in_again() -> bool:
        again = kept(blobs, T, CONTENT) if by == "event" else committed(blobs, T, P, upload_id)
        handing.append(asyncio.create_task(again))
        await asyncio.wait({*handing, asyncio.create_task(waited.wait())}, return_when=asyncio.FIRST_COMPLETED)
        return False

    monkeypatch.setattr(turns, "_tried", trying)
    await blobs.destroy(T, blob, unless=handed_in_again)
    await handing[0]
    assert await blobs.read(T, blob) == CONTENT


async def test_a_damaged_note_stands_in_nobodys_way(blobs: FileBlobs, tmp_path: Path) -> None:
    """What an upload is of, and what it became: the tenant's other uploads go on, and so does this one, begun again."""
    upload_id = await handed_in(blobs)
    (about,) = tmp_path.rglob(f"{upload_id}/about")
    for damage in (b"", b"cut", about.read_bytes()[:-3]):
        about.write_bytes(damage)
        assert await refused(committed(blobs, T, P, upload_id)) == "UPLOAD_NOT_FOUND"
        await blobs.begin(T, "another", len(CONTENT), digest())
    assert await blobs.begin(T, P, len(CONTENT), digest()) == Upload(upload_id, len(CONTENT), digest(), len(CONTENT))
    blob, _ = await committed(blobs, T, P, upload_id)
    for damage in (b"", b"\xff\xfe", blob.encode()[:9]):
        about.with_name("done").write_bytes(damage)
        assert await refused(committed(blobs, T, P, upload_id)) == "UPLOAD_INCOMPLETE"
        await blobs.destroy(T, await kept(blobs, T, "另一份".encode()), unless=nobody)
        await blobs.begin(T, "another", len(CONTENT), digest())
    assert (await committed(blobs, T, P, await handed_in(blobs)))[0] == blob
