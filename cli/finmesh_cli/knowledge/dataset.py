"""A data set of the BEIR form, and what of it the service may see: `_id`, `title`, `text` of a record, `text` and `scope` of a query.

Everything else is dropped on reading, and the judgements are a file that nobody opens before the last ranking stands. Equal titles that are
not empty form one document, records without a title one more; the order of the file is the order of a document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEDIA_TYPE = "application/vnd.finmesh.records+jsonl"


class DatasetError(ValueError):
    """A file of the data set is missing or malformed; the message names it, and the line."""


@dataclass(frozen=True, slots=True)
class Document:
    """Records of one title, as they are handed in."""

    document_id: str
    title: str
    content: bytes
    records: int


@dataclass(frozen=True, slots=True)
class Query:
    """A question; ``scope``: title of the document that its asker had open, empty for none."""

    query_id: str
    text: str
    scope: str = ""


def documents(folder: Path) -> list[Document]:
    """Return the documents of a corpus. Raises DatasetError."""
    by_title: dict[str, list[dict[str, str]]] = {}
    for number, record in _lines(folder / "corpus.jsonl"):
        kept = {key: _text(record, key, f"corpus.jsonl, line {number}") for key in ("_id", "title", "text")}
        by_title.setdefault(kept["title"].strip(), []).append(kept)
    return [
        Document(f"document-{place:06}", title, _encoded(records), len(records))
        for place, (title, records) in enumerate(by_title.items(), 1)
    ]


def queries(folder: Path) -> list[Query]:
    """Return the questions, in order. Raises DatasetError."""
    found = []
    for number, query in _lines(folder / "queries.jsonl"):
        where = f"queries.jsonl, line {number}"
        scope = query.get("scope")
        document = scope.get("document", "") if isinstance(scope, dict) else ""
        found.append(Query(_text(query, "_id", where), _text(query, "text", where), document if isinstance(document, str) else ""))
    if len({query.query_id for query in found}) < len(found):
        raise DatasetError("queries.jsonl: an _id stands there twice")
    return found


def judgements(folder: Path) -> Mapping[str, Mapping[str, int]]:
    """Return the relevant records of each query, with their grade. Raises DatasetError."""
    found: dict[str, dict[str, int]] = {}
    path = folder / "qrels.tsv"
    for number, line in enumerate(_read(path).splitlines(), 1):
        parts = line.split("\t")
        if not line.strip() or (number == 1 and not parts[-1].strip().isdigit()):
            continue
        if len(parts) != 3 or not parts[2].strip().lstrip("-").isdigit():
            raise DatasetError(f"{path.name}, line {number}: query, record and grade, with tabs between them")
        if int(parts[2]) > 0:
            found.setdefault(parts[0], {})[parts[1]] = int(parts[2])
    return found


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_read(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"{path.name}, line {number}: {error}") from None
        if not isinstance(value, dict):
            raise DatasetError(f"{path.name}, line {number} is no object")
        yield number, value


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path.name}: {error}") from None


def _text(value: Mapping[str, Any], key: str, where: str) -> str:
    text = value.get(key, "")
    if not isinstance(text, str) or (key != "title" and not text):
        raise DatasetError(f"{where}: {key} is a text")
    return text


def _encoded(records: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
