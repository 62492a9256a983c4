"""The tables. What a document says is sealed with its own key (`document.sealed_key`): titles, passages, names, copies in conversations."""

from __future__ import annotations

from rag.adapters.ledger.database import Connection

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE head (id {integer} PRIMARY KEY CHECK (id = 1), seq {integer} NOT NULL);
CREATE TABLE leader (
  id {integer} PRIMARY KEY CHECK (id = 1),
  epoch {integer} NOT NULL,
  owner TEXT NOT NULL,
  until_us {integer} NOT NULL
);
CREATE TABLE tenant (tenant TEXT PRIMARY KEY, sealed_key {blob} NOT NULL);
CREATE TABLE document (
  document_row {identity},
  tenant TEXT NOT NULL,
  document_id {text} NOT NULL,
  sealed_key {blob},
  hidden_upto {integer} NOT NULL DEFAULT 0,
  UNIQUE (tenant, document_id)
);
CREATE TABLE access (
  access_id {identity},
  tenant TEXT NOT NULL,
  demands TEXT NOT NULL,
  UNIQUE (tenant, demands)
);
CREATE TABLE version (
  version_id {identity},
  document_row {integer} NOT NULL REFERENCES document (document_row),
  source_version {integer} NOT NULL,
  revision {integer} NOT NULL,
  piece {integer} NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  attempt {integer} NOT NULL DEFAULT 0,
  claimed_by {integer} NOT NULL DEFAULT 0,
  wait_until_us {integer} NOT NULL DEFAULT 0,
  from_seq {integer} NOT NULL,
  to_seq {integer} NOT NULL,
  valid_from_us {integer} NOT NULL,
  valid_to_us {integer} NOT NULL,
  demands TEXT NOT NULL,
  declared_grade {integer} NOT NULL,
  digest {blob} NOT NULL,
  configuration {blob} NOT NULL,
  content_sha256 {blob} NOT NULL,
  blob TEXT NOT NULL,
  description {blob},
  title_hash {blob} NOT NULL,
  submitted_by TEXT NOT NULL,
  enrolled_us {integer} NOT NULL,
  UNIQUE (document_row, source_version, revision, piece)
);
CREATE INDEX version_waiting ON version (version_id) WHERE state = 'ENROLLED';
CREATE INDEX version_standing ON version (document_row) WHERE state IN ('VISIBLE', 'PARTIAL');
CREATE INDEX version_blob ON version (blob);
CREATE INDEX version_title ON version (title_hash);
CREATE TABLE chunk (
  chunk_id {identity},
  version_id {integer} NOT NULL REFERENCES version (version_id),
  ordinal {integer} NOT NULL,
  access_id {integer} NOT NULL REFERENCES access (access_id),
  own_access_id {integer} NOT NULL REFERENCES access (access_id),
  sealed {blob} NOT NULL,
  UNIQUE (version_id, ordinal)
);
CREATE TABLE name (
  name_id {identity},
  version_id {integer} NOT NULL REFERENCES version (version_id),
  access_id {integer} NOT NULL REFERENCES access (access_id),
  own_access_id {integer} NOT NULL REFERENCES access (access_id),
  sealed {blob} NOT NULL
);
CREATE INDEX name_version ON name (version_id);
CREATE TABLE change (
  seq {integer} PRIMARY KEY,
  kind TEXT NOT NULL,
  tenant TEXT NOT NULL,
  version_id {integer} NOT NULL,
  access_ids TEXT NOT NULL
);
CREATE TABLE grants (
  tenant TEXT NOT NULL,
  principal TEXT NOT NULL,
  clearance {integer} NOT NULL,
  memberships TEXT NOT NULL,
  PRIMARY KEY (tenant, principal)
);
CREATE TABLE topic_position (
  topic TEXT NOT NULL,
  partition_id {integer} NOT NULL,
  incarnation TEXT NOT NULL,
  next_offset {integer} NOT NULL,
  PRIMARY KEY (topic, partition_id)
);
CREATE TABLE follower (name TEXT PRIMARY KEY, seq {integer} NOT NULL, until_us {integer} NOT NULL);
CREATE TABLE hold (
  hold_id {identity},
  document_row {integer} NOT NULL REFERENCES document (document_row),
  held {integer} NOT NULL,
  principal TEXT NOT NULL,
  why {blob} NOT NULL,
  at_us {integer} NOT NULL
);
CREATE INDEX hold_document ON hold (document_row);
CREATE TABLE purge (
  purge_id {identity},
  document_row {integer} NOT NULL REFERENCES document (document_row),
  seq {integer} NOT NULL,
  principal TEXT NOT NULL,
  why {blob} NOT NULL,
  at_us {integer} NOT NULL,
  blobs TEXT NOT NULL,
  scrubbed {integer} NOT NULL DEFAULT 0
);
CREATE INDEX purge_document ON purge (document_row);
CREATE TABLE decision (
  decision_id {identity},
  version_id {integer} NOT NULL REFERENCES version (version_id),
  grade {integer} NOT NULL,
  principal TEXT NOT NULL,
  why {blob} NOT NULL,
  at_us {integer} NOT NULL
);
CREATE TABLE conversation (
  conversation_row {identity},
  tenant TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  sealed_key {blob} NOT NULL,
  scope {blob} NOT NULL,
  UNIQUE (tenant, principal, conversation_id)
);
CREATE TABLE turn (
  turn_id {identity},
  conversation_row {integer} NOT NULL REFERENCES conversation (conversation_row),
  asked_us {integer} NOT NULL,
  sealed {blob} NOT NULL
);
CREATE INDEX turn_conversation ON turn (conversation_row);
CREATE TABLE turn_document (
  turn_id {integer} NOT NULL REFERENCES turn (turn_id),
  document_row {integer} NOT NULL REFERENCES document (document_row),
  PRIMARY KEY (turn_id, document_row)
);
CREATE INDEX turn_of_document ON turn_document (document_row);
CREATE TABLE unanswered (
  unanswered_id {identity},
  tenant TEXT NOT NULL,
  question_hash {blob} NOT NULL,
  refusal TEXT NOT NULL,
  count {integer} NOT NULL,
  last_us {integer} NOT NULL,
  sealed {blob} NOT NULL,
  UNIQUE (tenant, question_hash, refusal)
);
CREATE TABLE reading (
  reading_id {identity},
  tenant TEXT NOT NULL,
  principal TEXT NOT NULL,
  purpose TEXT NOT NULL,
  document_id TEXT NOT NULL,
  source_version {integer} NOT NULL,
  ordinals TEXT NOT NULL,
  read_us {integer} NOT NULL,
  audit_record_id TEXT NOT NULL
);
CREATE INDEX reading_tenant ON reading (tenant, read_us);
CREATE INDEX reading_answer ON reading (audit_record_id);
CREATE TABLE feedback (
  feedback_id {identity},
  tenant TEXT NOT NULL,
  principal TEXT NOT NULL,
  audit_record_id TEXT NOT NULL,
  verdict TEXT NOT NULL,
  sealed {blob} NOT NULL,
  at_us {integer} NOT NULL,
  UNIQUE (tenant, principal, audit_record_id)
);
CREATE TABLE tuning (
  tenant TEXT NOT NULL,
  version {integer} NOT NULL,
  weights TEXT NOT NULL,
  encoder TEXT NOT NULL,
  report TEXT NOT NULL,
  recorded_by TEXT NOT NULL,
  at_us {integer} NOT NULL,
  PRIMARY KEY (tenant, version)
);
INSERT INTO head (id, seq) VALUES (1, 0);
INSERT INTO leader (id, epoch, owner, until_us) VALUES (1, 0, '', 0)
"""


def create_schema(connection: Connection) -> None:
    """Make the tables when they are not there yet."""
    with connection.write():
        if connection.has_table("meta"):
            return
        types = connection.types
        for statement in _SCHEMA.format(integer=types.integer, blob=types.blob, identity=types.identity, text=types.text).split(";"):
            connection.execute(statement.strip())
        connection.execute("INSERT INTO meta (name, value) VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),))
