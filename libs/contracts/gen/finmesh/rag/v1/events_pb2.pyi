import datetime

from finmesh.rag.v1 import document_pb2 as _document_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DocumentSubmitted(_message.Message):
    __slots__ = ("tenant", "submitted_by", "description", "upload_id", "inline")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_BY_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    INLINE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    submitted_by: str
    description: _document_pb2.DocumentDescription
    upload_id: str
    inline: bytes
    def __init__(self, tenant: _Optional[str] = ..., submitted_by: _Optional[str] = ..., description: _Optional[_Union[_document_pb2.DocumentDescription, _Mapping]] = ..., upload_id: _Optional[str] = ..., inline: _Optional[bytes] = ...) -> None: ...

class DocumentWithdrawn(_message.Message):
    __slots__ = ("tenant", "withdrawn_by", "document_id", "source_version")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_BY_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    withdrawn_by: str
    document_id: str
    source_version: int
    def __init__(self, tenant: _Optional[str] = ..., withdrawn_by: _Optional[str] = ..., document_id: _Optional[str] = ..., source_version: _Optional[int] = ...) -> None: ...

class DocumentStateChanged(_message.Message):
    __slots__ = ("tenant", "document_id", "source_version", "state", "reason", "sequence", "changed_at")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    document_id: str
    source_version: int
    state: _document_pb2.VersionState
    reason: str
    sequence: int
    changed_at: _timestamp_pb2.Timestamp
    def __init__(self, tenant: _Optional[str] = ..., document_id: _Optional[str] = ..., source_version: _Optional[int] = ..., state: _Optional[_Union[_document_pb2.VersionState, str]] = ..., reason: _Optional[str] = ..., sequence: _Optional[int] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
