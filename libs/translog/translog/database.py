"""The port between the log and its database, and the one schema that every adapter uses.

SQL is written once, with `?` for parameters and types that SQLite and PostgreSQL both know after substitution. A transaction that
`write` opens holds leaves, tiles, checkpoint and Kafka offsets together, or nothing.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

SCHEMA_VERSION = 2

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Types:
    """Column types of a database."""

    integer: str
    blob: str
    strict: str = ""
    """Suffix of CREATE TABLE."""


class Database(Protocol):
    """One connection, used by one thread at a time."""

    types: Types

    def write(self) -> AbstractContextManager[None]:
        """One durable transaction; an exception rolls it back. A failed commit raises StoreFailedError."""

    def read(self) -> AbstractContextManager[None]:
        """One snapshot: every query inside sees the same state."""

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Rows changed."""

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """The statement once for each row. Raises StoreFailedError."""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Every row of the answer at once: the caller's LIMIT bounds the memory. Raises StoreFailedError, TamperedError."""

    def has_table(self, name: str) -> bool:
        """Whether a table of this name exists, seen from the snapshot that is open."""

    def integrity(self) -> list[str]:
        """What the database says about its own pages and indexes; empty when sound."""

    def close(self) -> None:
        """Let the connection and, for a writer, the log's lock go. An open transaction is rolled back."""


_LEAF = """
CREATE TABLE leaf (
  leaf_index {integer} PRIMARY KEY,
  kind TEXT NOT NULL,
  body {blob} NOT NULL,
  leaf_hash {blob} NOT NULL,
  event_id TEXT,
  request_id TEXT,
  decision_id TEXT,
  tenant TEXT,
  source_id {integer} REFERENCES source (source_id),
  source_offset {integer},
  source_position {integer},
  received_ms {integer} NOT NULL
){strict}
"""
_LEAF_INDEXES = """
CREATE UNIQUE INDEX leaf_record ON leaf (event_id) WHERE kind = 'record';
CREATE INDEX leaf_conflict ON leaf (event_id) WHERE kind = 'conflict';
CREATE INDEX leaf_request ON leaf (request_id) WHERE request_id <> COALESCE(decision_id, '');
CREATE INDEX leaf_decision ON leaf (decision_id) WHERE decision_id IS NOT NULL
"""
_QUARANTINE = """
CREATE TABLE quarantine (
  leaf_index {integer} PRIMARY KEY REFERENCES leaf (leaf_index),
  content_hash {blob} NOT NULL,
  sealed {blob} NOT NULL
){strict}
"""
_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL){{strict}};
CREATE TABLE writer (id {{integer}} PRIMARY KEY CHECK (id = 1), epoch {{integer}} NOT NULL){{strict}};
CREATE TABLE source (
  source_id {{integer}} PRIMARY KEY,
  topic TEXT NOT NULL,
  partition_id {{integer}} NOT NULL,
  topic_id TEXT NOT NULL,
  next_offset {{integer}} NOT NULL,
  UNIQUE (topic, partition_id, topic_id)
){{strict}};
{_LEAF};
{_LEAF_INDEXES};
CREATE TABLE tile (
  level {{integer}} NOT NULL,
  tile_index {{integer}} NOT NULL,
  hashes {{blob}} NOT NULL,
  PRIMARY KEY (level, tile_index)
){{strict}};
CREATE TABLE checkpoint (
  size {{integer}} PRIMARY KEY,
  root {{blob}} NOT NULL,
  note TEXT NOT NULL,
  created_ms {{integer}} NOT NULL
){{strict}};
CREATE TABLE producer (name TEXT PRIMARY KEY, epoch {{integer}} NOT NULL, last_sequence {{integer}} NOT NULL){{strict}};
{_QUARANTINE};
CREATE TABLE tally (kind TEXT NOT NULL, tenant TEXT NOT NULL, leaves {{integer}} NOT NULL, PRIMARY KEY (kind, tenant)){{strict}}
"""
_REBUILD = """
ALTER TABLE leaf RENAME TO leaf_1;
ALTER TABLE quarantine RENAME TO quarantine_1;
DROP INDEX leaf_record;
DROP INDEX leaf_conflict;
DROP INDEX leaf_request;
DROP INDEX leaf_decision
"""
_REFILL = """
INSERT INTO leaf SELECT * FROM leaf_1;
INSERT INTO quarantine SELECT * FROM quarantine_1;
DROP TABLE quarantine_1;
DROP TABLE leaf_1;
UPDATE meta SET value = '2' WHERE name = 'schema_version'
"""


def create_schema(database: Database, *, origin: str, verifier_key: str) -> None:
    """All tables and the first meta rows; call inside `write`."""
    _run(database, _SCHEMA)
    database.execute("INSERT INTO writer (id, epoch) VALUES (1, 0)")
    rows = [("schema_version", str(SCHEMA_VERSION)), ("origin", origin), ("verifier_key", verifier_key)]
    database.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", rows)


def migrate_schema(database: Database) -> None:
    """From 1 to 2; call inside `write`. SQLite can't alter the CHECK that kept kinds to those of schema 1, so `leaf` is built anew.

    `quarantine` follows, since its foreign key would go with the old table.
    """
    for statements in (_REBUILD, _LEAF, _QUARANTINE, _REFILL, _LEAF_INDEXES):
        _run(database, statements)


def _run(database: Database, statements: str) -> None:
    types = database.types
    for statement in statements.format(integer=types.integer, blob=types.blob, strict=types.strict).split(";"):
        database.execute(statement.strip())
