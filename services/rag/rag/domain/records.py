"""Documents made of records: one JSON object {"_id", "title", "text"} a line (the corpus format of BEIR), each a passage of its own.

Other keys of a record are dropped. Ids are opaque; the same id twice in a document is refused. A record that is too long is cut, and its
parts carry its id; equal texts under two ids both stay.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.errors import InvalidDocument
from meshkit.strict_json import parse_json

from rag.domain import clauses
from rag.domain.chunking import Draft, fits, split

MEDIA_TYPE = "application/vnd.finmesh.records+jsonl"
_MAX_ID = 512


def drafts(content: bytes, most: int) -> Iterator[Draft]:
    """Yield the passages of a document's records, in order. Raises InvalidDocument that names the line."""
    seen: set[str] = set()
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        record_id, title, text = _record(line, number)
        if record_id in seen:
            raise InvalidDocument(f"line {number}: its _id stands there twice")
        seen.add(record_id)
        path = (title,) if title else ()
        if fits(text, most):
            yield Draft(text, path, clause=clauses.number(text), record_id=record_id)
            continue
        header = _table_header(text)
        for place, part in enumerate(split(text, most)):
            yield Draft(part, path, header if place else "", clause=clauses.number(text), record_id=record_id)


def _record(line: bytes, number: int) -> tuple[str, str, str]:
    try:
        value = parse_json(line)
    except InvalidDocument as error:
        raise InvalidDocument(f"line {number}: {error.message}") from None
    if not isinstance(value, dict):
        raise InvalidDocument(f"line {number} is no object")
    found = tuple(value.get(key, "") for key in ("_id", "title", "text"))
    if not all(isinstance(each, str) for each in found):
        raise InvalidDocument(f"line {number}: _id, title and text are texts")
    record_id, title, text = found
    if not 1 <= len(record_id) <= _MAX_ID:
        raise InvalidDocument(f"line {number}: _id has 1 to {_MAX_ID} characters")
    if not text.strip():
        text = title
    return record_id, title.strip(), text


def _table_header(text: str) -> str:
    """Return the lines above the first row of numbers, of a text that is a table with bars; else nothing."""
    lines = text.split("\n")
    if sum("|" in line for line in lines) * 2 < len(lines):
        return ""
    head = lines[:1]
    for line in lines[1:4]:
        if sum(character.isdigit() for character in line) * 4 > len(line):
            break
        head.append(line)
    return "\n".join(head)
