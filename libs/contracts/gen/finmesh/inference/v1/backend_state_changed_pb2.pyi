import datetime

from finmesh.inference.v1 import worker_pb2 as _worker_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BackendStateChanged(_message.Message):
    __slots__ = ("worker_id", "incarnation", "service", "instance", "number", "before", "after", "reason", "detail", "changed_at", "role", "vendor", "kind", "model", "zone")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    VENDOR_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    incarnation: str
    service: str
    instance: str
    number: int
    before: _worker_pb2.WorkerState
    after: _worker_pb2.WorkerState
    reason: str
    detail: str
    changed_at: _timestamp_pb2.Timestamp
    role: _worker_pb2.WorkerRole
    vendor: str
    kind: str
    model: str
    zone: str
    def __init__(self, worker_id: _Optional[str] = ..., incarnation: _Optional[str] = ..., service: _Optional[str] = ..., instance: _Optional[str] = ..., number: _Optional[int] = ..., before: _Optional[_Union[_worker_pb2.WorkerState, str]] = ..., after: _Optional[_Union[_worker_pb2.WorkerState, str]] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., role: _Optional[_Union[_worker_pb2.WorkerRole, str]] = ..., vendor: _Optional[str] = ..., kind: _Optional[str] = ..., model: _Optional[str] = ..., zone: _Optional[str] = ...) -> None: ...
