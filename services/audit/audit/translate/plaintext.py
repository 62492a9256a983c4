"""Finds identifiers in the clear in an audit record: in its fields, in what they hold, and in fields that this version does not know.

Of a record that is like others all that differs (ids, keyed hashes, times, reason codes) is of a closed alphabet. That is checked and taken
out; what remains, unknown fields among it, is the same bytes as in the record before, and those were walked once.
"""

from collections.abc import Iterable
from typing import TypeVar

from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from audit.domain.alphabets import ALPHABETS, MAX_SECONDS, UUID, holds_identifier, is_code, is_digest, is_hex

_Value = TypeVar("_Value")
_MAX_KNOWN = 8_192
_MAX_DEPTH = 6  # of messages in messages that nobody knows; text is found below it too, as part of what holds it
_BYTES, _GROUP = 2, 3  # wire types


class Plaintext:
    """Remembers what it saw and found harmless, up to a bound. Not for concurrent use."""

    def __init__(self) -> None:
        self._remains: set[bytes] = set()
        self._codes: set[str] = set()

    def in_record(self, record: AuditRecord, content: bytes) -> bool:
        """Whether a record, whose bytes are ``content``, holds an identifier in the clear.

        Records of generations and of looks into documents are like no other and are walked each.
        """
        if record.HasField("generation") or record.HasField("retrieval"):
            return _in_message(record)
        remains = self._without_what_differs(record)
        if remains in self._remains:
            return False
        if _in_message(AuditRecord.FromString(content)):
            return True
        _remember(self._remains, remains)
        return False

    def _without_what_differs(self, record: AuditRecord) -> bytes:
        """Bytes of a record after fields were taken out of it that hold what they should. The record is no use afterwards."""
        for name in ("audit_record_id", "request_id", "decision_id"):
            if UUID.fullmatch(getattr(record, name)):
                record.ClearField(name)
        for name in ("principal_key", "decision_commitment", "feature_commitment", "trace_id"):
            if is_digest(getattr(record, name)):
                record.ClearField(name)
        if is_hex(record.model_digest):
            record.ClearField("model_digest")
        codes = record.reason_codes
        if codes and self._known(codes):
            del codes[:]
        for moment in (record.event_time, record.decided_time):
            if 0 <= moment.seconds <= MAX_SECONDS and 0 <= moment.nanos < 1_000_000_000:
                moment.seconds = moment.nanos = 0
        return record.SerializeToString()

    def _known(self, codes: Iterable[str]) -> bool:
        if self._codes.issuperset(codes):
            return True
        if not all(map(is_code, codes)):
            return False
        for code in codes:
            _remember(self._codes, code)
        return True


def _remember(known: set[_Value], value: _Value) -> None:
    if len(known) >= _MAX_KNOWN:
        known.clear()
    known.add(value)


def _in_message(message: Message) -> bool:
    for field, value in message.ListFields():
        alphabet = ALPHABETS.get(field.full_name)
        for item in value if field.is_repeated else (value,):
            if field.message_type is not None:
                if _in_message(item):
                    return True
            elif (alphabet is None or not alphabet(item)) and holds_identifier(item):
                return True
    return _in_unknown(UnknownFieldSet(message), 0)


def _in_unknown(fields: UnknownFieldSet, depth: int) -> bool:
    """Fields that this version does not know: texts are searched, numbers as people write them, bytes also as a message."""
    for field in fields:  # type: ignore[attr-defined]  # a sequence that its stub does not call one
        if field.wire_type == _GROUP:
            if depth < _MAX_DEPTH and _in_unknown(field.data, depth + 1):
                return True
            continue
        if holds_identifier(field.data):
            return True
        if field.wire_type == _BYTES and depth < _MAX_DEPTH and field.data:
            try:
                inner = Empty.FromString(field.data)
            except DecodeError:
                continue
            if _in_unknown(UnknownFieldSet(inner), depth + 1):
                return True
    return False
