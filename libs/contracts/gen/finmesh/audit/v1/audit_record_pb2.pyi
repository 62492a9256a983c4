import datetime

from finmesh.common.v1 import grade_pb2 as _grade_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditRecord(_message.Message):
    __slots__ = ("audit_record_id", "producer", "tenant", "scenario", "purpose", "principal_key", "request_id", "decision_id", "decision_commitment", "commitment_key_id", "feature_commitment", "outcome", "reason_codes", "model_digest", "model_version", "rule_set_version", "feature_schema_version", "degradations", "grade", "trace_id", "event_time", "decided_time", "policy_hash", "build")
    AUDIT_RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_KEY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_CODES_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    RULE_SET_VERSION_FIELD_NUMBER: _ClassVar[int]
    FEATURE_SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    DECIDED_TIME_FIELD_NUMBER: _ClassVar[int]
    POLICY_HASH_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    audit_record_id: str
    producer: str
    tenant: str
    scenario: str
    purpose: str
    principal_key: bytes
    request_id: str
    decision_id: str
    decision_commitment: bytes
    commitment_key_id: str
    feature_commitment: bytes
    outcome: str
    reason_codes: _containers.RepeatedScalarFieldContainer[str]
    model_digest: str
    model_version: str
    rule_set_version: str
    feature_schema_version: int
    degradations: _containers.RepeatedScalarFieldContainer[str]
    grade: _grade_pb2.DataGrade
    trace_id: bytes
    event_time: _timestamp_pb2.Timestamp
    decided_time: _timestamp_pb2.Timestamp
    policy_hash: bytes
    build: str
    def __init__(self, audit_record_id: _Optional[str] = ..., producer: _Optional[str] = ..., tenant: _Optional[str] = ..., scenario: _Optional[str] = ..., purpose: _Optional[str] = ..., principal_key: _Optional[bytes] = ..., request_id: _Optional[str] = ..., decision_id: _Optional[str] = ..., decision_commitment: _Optional[bytes] = ..., commitment_key_id: _Optional[str] = ..., feature_commitment: _Optional[bytes] = ..., outcome: _Optional[str] = ..., reason_codes: _Optional[_Iterable[str]] = ..., model_digest: _Optional[str] = ..., model_version: _Optional[str] = ..., rule_set_version: _Optional[str] = ..., feature_schema_version: _Optional[int] = ..., degradations: _Optional[_Iterable[str]] = ..., grade: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., trace_id: _Optional[bytes] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decided_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., policy_hash: _Optional[bytes] = ..., build: _Optional[str] = ...) -> None: ...

class AuditBatch(_message.Message):
    __slots__ = ("producer", "epoch", "sequence", "records", "key_id", "signature")
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    producer: str
    epoch: int
    sequence: int
    records: _containers.RepeatedScalarFieldContainer[bytes]
    key_id: str
    signature: bytes
    def __init__(self, producer: _Optional[str] = ..., epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., records: _Optional[_Iterable[bytes]] = ..., key_id: _Optional[str] = ..., signature: _Optional[bytes] = ...) -> None: ...
