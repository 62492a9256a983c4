"""Port Blobs: originals and uploads as sealed files of one folder, which all processes of rag share.

`<tenant>/originals/<name>` and `<tenant>/uploads/<upload id>/<offset>`. An upload's id is a keyed hash of tenant, principal and content, so
that whoever begins again goes on, and nobody guesses another's. What is committed leaves a note, so that a repeated commit answers alike.
Whoever hands in and whoever destroys take turns over an original (`<tenant>/keeping/<its first digits>`).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from meshkit.clock import Clock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.ring import Ring
from meshkit.crypto.seal import Sealer
from meshkit.errors import Conflict, DataCorrupted, FailedPrecondition, InvalidArgument, NotFound, QuotaExceeded
from meshkit.tenants import checked_tenant
from meshkit.threads import Look, on_thread

from rag.adapters.open_uploads import DONE, NAME, OpenUpload, noted
from rag.adapters.sealed_files import PART_BYTES, destroy_sealed, disk, read_sealed, write_sealed, write_whole
from rag.adapters.turns import alone, beside, turn
from rag.ports import Upload

log = logging.getLogger(__name__)

MAX_BYTES = 200 * 1024 * 1024
_OPEN_BYTES = 5 * MAX_BYTES
_OPEN_UPLOADS = 256
_RETRY_S = 60.0
_ABOUT, _LOCK = "about", "lock"


class FileBlobs:
    """Port Blobs. ``open_bytes`` and ``open_uploads``: what a tenant may have under way."""

    def __init__(
        self,
        folder: Path,
        sealer: Sealer,
        names: Ring[CommitmentKey],
        clock: Clock,
        open_bytes: int = _OPEN_BYTES,
        open_uploads: int = _OPEN_UPLOADS,
    ) -> None:
        self._folder, self._sealer, self._names, self._clock = folder, sealer, names, clock
        self._open_bytes, self._open_uploads = open_bytes, open_uploads

    async def begin(self, tenant: str, principal: str, size_bytes: int, sha256: bytes) -> Upload:
        """Begin an upload, or go on with the one that the same principal began for the same content."""
        if not 0 < size_bytes <= MAX_BYTES:
            reason = "DOCUMENT_TOO_LARGE" if size_bytes > MAX_BYTES else "DOCUMENT_EMPTY"
            raise InvalidArgument(f"a document has 1 to {MAX_BYTES} bytes", reason=reason, metadata={"field": "size_bytes"})
        if len(sha256) != 32:
            raise InvalidArgument("a SHA-256 has 32 bytes", reason="DIGEST_INVALID", metadata={"field": "content_sha256"})
        return await on_thread(lambda _: self._begin(checked_tenant(tenant), principal, size_bytes, sha256))

    async def put_part(self, tenant: str, principal: str, upload_id: str, offset: int, part: bytes) -> Upload:
        """Keep a part. Raises InvalidArgument (PART_MISPLACED) for one that is not 1 MiB at a multiple of it, or the rest at the end."""
        return await on_thread(lambda _: self._put(self._open(tenant, principal, upload_id), offset, part))

    @asynccontextmanager
    async def commit(self, tenant: str, principal: str, upload_id: str) -> AsyncIterator[tuple[str, Upload]]:
        """Join an upload."""

        def work(look: Look) -> tuple[str, Upload]:
            upload = self._open(tenant, principal, upload_id)
            with turn(upload.folder / _LOCK):
                return self._commit(tenant, upload, look)

        begun = await on_thread(lambda _: self._open(tenant, principal, upload_id))
        async with beside(self._keeping(tenant, self._blob(tenant, begun.sha256))):
            yield await on_thread(work)

    @asynccontextmanager
    async def keep(self, tenant: str, content: bytes) -> AsyncIterator[str]:
        """Keep a whole original."""
        digest = await on_thread(lambda _: sha256(content).digest())
        async with beside(self._keeping(tenant, self._blob(checked_tenant(tenant), digest))):
            yield await on_thread(lambda look: self._keep(tenant, _cut(content, look), len(content), digest))

    async def read(self, tenant: str, blob: str) -> bytes:
        """Return an original. Raises NotFound (BLOB_NOT_FOUND), DataCorrupted."""
        content = await on_thread(lambda _: read_sealed(self._original(tenant, blob), self._sealer, f"{tenant}|{blob}"))
        if content is None:
            raise _not_found("BLOB_NOT_FOUND")
        return content

    async def destroy(self, tenant: str, blob: str, unless: Callable[[], Awaitable[bool]]) -> None:
        """Destroy an original and its key, and every note of an upload that became it."""
        original = self._original(tenant, blob)
        async with alone(self._keeping(tenant, blob)):
            if not await unless():
                await on_thread(lambda _: self._destroy(original, blob))

    async def aged(self, idle_s: float) -> list[tuple[str, str]]:
        """Return tenant and name of originals that were handed in longer ago than that, last."""
        return await on_thread(lambda look: self._aged(self._clock.now_s() - idle_s, look))

    async def sweep(self, idle_s: float) -> int:
        """Take away uploads, and files half written, that nobody touched for so long."""
        return await on_thread(lambda look: self._sweep(self._clock.now_s() - idle_s, look))

    def _begin(self, tenant: str, principal: str, size_bytes: int, digest: bytes) -> Upload:
        upload_id = self._named("rag-upload", tenant, principal, str(size_bytes), digest.hex())
        folder = self._folder / tenant / "uploads" / upload_id
        with turn(self._folder / tenant / _LOCK):
            found = self._about(folder)
            if found is None:
                self._require_room(folder.parent, size_bytes)
                about = {"tenant": tenant, "principal": principal, "size_bytes": size_bytes, "sha256": digest.hex()}
                write_whole(folder / _ABOUT, [self._sealer.seal(json.dumps(about).encode(), f"rag-upload|{upload_id}")])
            with disk():
                os.utime(folder)
        return self._upload(OpenUpload(folder, principal, size_bytes, digest))

    def _put(self, upload: OpenUpload, offset: int, part: bytes) -> Upload:
        if offset % PART_BYTES or offset >= upload.size_bytes or len(part) != min(PART_BYTES, upload.size_bytes - offset):
            why = f"a part is {PART_BYTES} bytes at a multiple of it, or what remains at the end"
            raise InvalidArgument(why, reason="PART_MISPLACED", metadata={"field": "offset"})
        if upload.done() is not None:
            return self._upload(upload)
        path, place = upload.folder / str(offset), f"rag-part|{upload.folder.name}|{offset}"
        there = self._part(path, place)
        if there is not None and there != part:
            raise Conflict("another part is there already", reason="PART_CONFLICT", metadata={"field": "part"})
        if there is None:
            write_whole(path, [self._sealer.seal(part, place)])
        return self._upload(upload)

    def _commit(self, tenant: str, upload: OpenUpload, look: Look) -> tuple[str, Upload]:
        done = upload.done()
        if done is not None:
            if not self._original(tenant, done).is_file():
                raise _not_found("UPLOAD_NOT_FOUND")
            return done, self._upload(upload)
        if self._upload(upload).received_bytes != upload.size_bytes:
            raise FailedPrecondition("parts are missing", reason="UPLOAD_INCOMPLETE")
        hashed = sha256()
        for part in self._parts(upload, look):
            hashed.update(part)
        if hashed.digest() != upload.sha256:
            shutil.rmtree(upload.folder, ignore_errors=True)
            raise InvalidArgument("the content is not what was announced", reason="DIGEST_MISMATCH", metadata={"field": "content_sha256"})
        blob = self._keep(tenant, self._parts(upload, look), upload.size_bytes, upload.sha256)
        write_whole(upload.folder / DONE, [blob.encode()])
        for offset in range(0, upload.size_bytes, PART_BYTES):
            (upload.folder / str(offset)).unlink(missing_ok=True)
        return blob, self._upload(upload)

    def _keep(self, tenant: str, parts: Iterator[bytes], size_bytes: int, digest: bytes) -> str:
        blob = self._blob(tenant, digest)
        path = self._original(tenant, blob)
        with disk(), suppress(FileNotFoundError):
            os.utime(path)
        if not path.is_file():
            write_sealed(path, self._sealer, f"{tenant}|{blob}", parts, size_bytes, digest)
        return blob

    def _destroy(self, path: Path, blob: str) -> None:
        destroy_sealed(path)
        with disk():
            for done in path.parent.parent.glob(f"uploads/*/{DONE}"):
                if noted(done.parent) == blob:
                    shutil.rmtree(done.parent)

    def _aged(self, before_s: float, look: Look) -> list[tuple[str, str]]:
        found = []
        with disk():
            for path in self._folder.glob("*/originals/*"):
                look()
                with suppress(FileNotFoundError):
                    if NAME.fullmatch(path.name) and path.stat().st_mtime < before_s:
                        found.append((path.parent.parent.name, path.name))
        return found

    def _sweep(self, before_s: float, look: Look) -> int:
        swept = 0
        with disk():
            for folder in self._folder.glob("*/uploads/*"):
                look()
                with suppress(FileNotFoundError):
                    if folder.stat().st_mtime < before_s:
                        shutil.rmtree(folder)
                        swept += 1
            for file in self._folder.glob("*/originals/*.tmp"):
                with suppress(FileNotFoundError):
                    if file.stat().st_mtime < before_s:
                        file.unlink()
        return swept

    def _require_room(self, uploads: Path, size_bytes: int) -> None:
        """Raises QuotaExceeded (UPLOADS_FULL)."""
        with disk():
            under_way = [about for folder in uploads.glob("*") if not noted(folder) and (about := self._about(folder))]
        if len(under_way) >= self._open_uploads or sum(about["size_bytes"] for about in under_way) + size_bytes > self._open_bytes:
            raise QuotaExceeded(
                "too much is under way: commit it, or wait until it is swept", reason="UPLOADS_FULL", retry_after_s=_RETRY_S
            )

    def _open(self, tenant: str, principal: str, upload_id: str) -> OpenUpload:
        """Return an upload of this principal. Raises NotFound (UPLOAD_NOT_FOUND)."""
        if not NAME.fullmatch(upload_id):
            raise _not_found("UPLOAD_NOT_FOUND")
        folder = self._folder / checked_tenant(tenant) / "uploads" / upload_id
        about = self._about(folder)
        if about is None or about["tenant"] != tenant or principal not in ("", about["principal"]):
            raise _not_found("UPLOAD_NOT_FOUND")
        return OpenUpload(folder, about["principal"], about["size_bytes"], bytes.fromhex(about["sha256"]))

    def _about(self, folder: Path) -> Mapping[str, Any] | None:
        """Return what an upload is of; None for no note, or a damaged one: nobody can go on with it, and whoever begins anew can."""
        with disk():
            try:
                sealed = (folder / _ABOUT).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        try:
            about: Mapping[str, Any] = json.loads(self._sealer.open(sealed, f"rag-upload|{folder.name}"))
        except DataCorrupted as error:
            log.warning("what an upload is of can't be read: %s", error.reason)
            return None
        return about

    def _upload(self, upload: OpenUpload) -> Upload:
        received = upload.size_bytes
        if upload.done() is None:
            received = 0
            while received < upload.size_bytes and (upload.folder / str(received)).is_file():
                received = min(received + PART_BYTES, upload.size_bytes)
        return Upload(upload.folder.name, upload.size_bytes, upload.sha256, received)

    def _parts(self, upload: OpenUpload, look: Look) -> Iterator[bytes]:
        for offset in range(0, upload.size_bytes, PART_BYTES):
            look()
            part = self._part(upload.folder / str(offset), f"rag-part|{upload.folder.name}|{offset}")
            if part is None:
                raise FailedPrecondition("parts are missing", reason="UPLOAD_INCOMPLETE")
            yield part

    def _part(self, path: Path, place: str) -> bytes | None:
        """Return a part; None for one that is not there, or damaged: it can be handed in again."""
        with disk():
            try:
                return self._sealer.open(path.read_bytes(), place)
            except FileNotFoundError:
                return None
            except DataCorrupted:
                path.unlink(missing_ok=True)
                return None

    def _original(self, tenant: str, blob: str) -> Path:
        """Return where an original lies. Raises NotFound (BLOB_NOT_FOUND) for what is no name of one."""
        if not NAME.fullmatch(blob):
            raise _not_found("BLOB_NOT_FOUND")
        return self._folder / checked_tenant(tenant) / "originals" / blob

    def _keeping(self, tenant: str, blob: str) -> Path:
        """Return where turns are taken over an original, and over others that begin alike."""
        return self._folder / tenant / "keeping" / blob[:2]

    def _blob(self, tenant: str, digest: bytes) -> str:
        return self._named("rag-blob", tenant, digest.hex())

    def _named(self, *parts: str) -> str:
        return self._names.primary.commit("\x00".join(parts).encode()).hex()


def _cut(content: bytes, look: Look) -> Iterator[bytes]:
    for offset in range(0, len(content), PART_BYTES):
        look()
        yield content[offset : offset + PART_BYTES]


def _not_found(reason: str) -> NotFound:
    return NotFound("not there", reason=reason)
