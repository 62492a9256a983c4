"""Every field that an audit record can have, whatever it is nested in, has an alphabet: a new one is thought about when it is added."""

from audit.domain.alphabets import ALPHABETS
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from google.protobuf.descriptor import Descriptor


def scalars(message: Descriptor, seen: set[str]) -> set[str]:
    """Full names of the fields of a message and of those in it that hold values themselves."""
    found: set[str] = set()
    for field in message.fields:
        if field.message_type is None:
            found.add(field.full_name)
        elif field.message_type.full_name not in seen:
            seen.add(field.message_type.full_name)
            found |= scalars(field.message_type, seen)
    return found


def test_every_field_of_an_audit_record_has_an_alphabet() -> None:
    assert scalars(AuditRecord.DESCRIPTOR, set()) == set(ALPHABETS)
