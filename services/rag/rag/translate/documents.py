"""Documents: descriptions to submissions, versions and passages to messages."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from finmesh.rag.v1 import document_pb2 as pb
from meshkit.errors import FieldViolation, InvalidArgument

from rag.domain.access import HIGHEST_INDEXED, Access
from rag.domain.citing import PassageId
from rag.domain.document import FOREVER, Chunk, State, Submission, Version
from rag.translate.times import micros, set_micros

MAX_ID, MAX_TITLE, MAX_NAMES, MAX_NAME, MAX_METADATA, MAX_VALUE = 200, 500, 64, 100, 50, 2_000
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,100}")
_STATES = {state: pb.VersionState.Value(f"VERSION_STATE_{state}") for state in State}


def submission(description: pb.DocumentDescription, *, tenant: str, submitted_by: str, blob: str, sha256: bytes) -> Submission:
    """Return what was handed in. Raises InvalidArgument (DESCRIPTION_INVALID, ACCESS_INVALID, TIME_INVALID)."""
    valid_from = micros(description.valid_from, "description.valid_from") if description.HasField("valid_from") else 0
    valid_to = micros(description.valid_to, "description.valid_to") if description.HasField("valid_to") else FOREVER
    if valid_to <= valid_from:
        raise _wrong("valid_to", "is after valid_from")
    if not 1 <= description.source_version < 1 << 53:
        raise _wrong("source_version", "is a number from 1")
    if description.media_type and not _MEDIA_TYPE.fullmatch(description.media_type):
        raise _wrong("media_type", "is a media type in lower case, without parameters")
    return Submission(
        tenant=tenant,
        document_id=document_id(description.document_id),
        source_version=description.source_version,
        title=_text(description.title, "title", MAX_TITLE),
        media_type=description.media_type,
        blob=blob,
        content_sha256=sha256,
        access=access(description.access),
        submitted_by=submitted_by,
        declared_grade=description.access.grade,
        valid_from_us=valid_from,
        valid_to_us=valid_to,
        review_at_us=micros(description.review_at, "description.review_at") if description.HasField("review_at") else None,
        base=document_id(description.base_document_id) if description.base_document_id else "",
        product=_text(description.product, "product", MAX_TITLE),
        metadata=_metadata(description.metadata.items()),
        file_name=_text(description.file_name, "file_name", MAX_TITLE),
    )


def document_id(text: str, field: str = "document_id") -> str:
    """Return a document's id. Raises InvalidArgument."""
    if not 1 <= len(text) <= MAX_ID or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise _wrong(field, f"has 1 to {MAX_ID} characters and no controls")
    return text


def access(message: pb.Access) -> Access:
    """Return what a document demands; a grade that isn't stated, or that no index may hold, is decided later."""
    if not 0 <= message.grade <= 5:
        raise _wrong("access.grade", "is a known grade")
    return Access(
        grade=min(max(message.grade, 1), HIGHEST_INDEXED),
        groups=names(message.groups, "access.groups"),
        barriers=names(message.barriers, "access.barriers"),
        purposes=names(message.purposes, "access.purposes"),
        publish_at_us=micros(message.publish_at, "access.publish_at") if message.HasField("publish_at") else None,
        expires_at_us=micros(message.expires_at, "access.expires_at") if message.HasField("expires_at") else None,
    )


def names(values: Iterable[str], field: str) -> frozenset[str]:
    """Return names of groups, barriers or purposes. Raises InvalidArgument."""
    found = list(values)
    if len(found) > MAX_NAMES or any(not 1 <= len(name) <= MAX_NAME or not name.isprintable() for name in found):
        raise _wrong(field, f"holds at most {MAX_NAMES} names of 1 to {MAX_NAME} printable characters")
    return frozenset(found)


def version_message(version: Version, *, title: str = "", passages: int = 0, grade: int = 0, held: bool = False) -> pb.DocumentVersion:
    """Return a version for its reader."""
    handed_in = version.submission
    message = pb.DocumentVersion(
        document_id=handed_in.document_id,
        source_version=handed_in.source_version,
        title=title or handed_in.title,
        state=_STATES[version.state],  # type: ignore[arg-type]
        reason=version.reason,
        from_sequence=version.from_seq if version.from_seq < FOREVER else 0,
        to_sequence=version.to_seq if version.to_seq < FOREVER else 0,
        content_sha256=handed_in.content_sha256,
        passages=passages,
        base_document_id=handed_in.base,
        product=handed_in.product,
        grade=grade,  # type: ignore[arg-type]
        held=held,
    )
    set_micros(message.valid_from, handed_in.valid_from_us) if handed_in.valid_from_us else None
    set_micros(message.valid_to, handed_in.valid_to_us) if handed_in.valid_to_us < FOREVER else None
    set_micros(message.review_at, handed_in.review_at_us) if handed_in.review_at_us else None
    return message


def passage_message(chunk: Chunk, version: Version, grade: int, *, now_us: int, rank: int = 0, superseded: bool = False) -> pb.Passage:
    """Return a passage for its reader, who may read it: whoever calls has checked that."""
    passage, handed_in = chunk.passage, version.submission
    name = PassageId(handed_in.document_id, handed_in.source_version, passage.ordinal)
    message = pb.Passage(
        passage_id=str(name),
        document_id=handed_in.document_id,
        source_version=handed_in.source_version,
        title=handed_in.title,
        heading_path=passage.heading_path,
        text=passage.text,
        table_header=passage.table_header,
        page=passage.page,
        clause=passage.clause,
        record_id=passage.record_id,
        text_sha256=hashlib.sha256(passage.text.encode()).digest(),
        grade=grade,  # type: ignore[arg-type]
        superseded=superseded,
        review_due=handed_in.review_at_us is not None and handed_in.review_at_us <= now_us,
        rank=rank,
        url=name.url,
    )
    if passage.box is not None:
        message.box.x0, message.box.y0, message.box.x1, message.box.y1 = passage.box.x0, passage.box.y0, passage.box.x1, passage.box.y1
    return message


def _metadata(items: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    found = sorted(items)
    if len(found) > MAX_METADATA or any(not 1 <= len(key) <= MAX_NAME or len(value) > MAX_VALUE for key, value in found):
        raise _wrong("metadata", f"holds at most {MAX_METADATA} entries, keys of {MAX_NAME} and values of {MAX_VALUE} characters")
    return tuple(found)


def _text(text: str, field: str, most: int) -> str:
    if len(text) > most or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise _wrong(field, f"has at most {most} characters and no controls")
    return text.strip()


def _wrong(field: str, problem: str) -> InvalidArgument:
    path = f"description.{field}"
    return InvalidArgument(f"{field} {problem}", reason="DESCRIPTION_INVALID", violations=(FieldViolation(path, problem),))
