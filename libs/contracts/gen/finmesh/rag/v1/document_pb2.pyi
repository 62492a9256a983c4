import datetime

from finmesh.common.v1 import grade_pb2 as _grade_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VersionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERSION_STATE_UNSPECIFIED: _ClassVar[VersionState]
    VERSION_STATE_ENROLLED: _ClassVar[VersionState]
    VERSION_STATE_VISIBLE: _ClassVar[VersionState]
    VERSION_STATE_PARTIAL: _ClassVar[VersionState]
    VERSION_STATE_QUARANTINED: _ClassVar[VersionState]
    VERSION_STATE_FAILED: _ClassVar[VersionState]
    VERSION_STATE_WITHDRAWN: _ClassVar[VersionState]
    VERSION_STATE_PURGED: _ClassVar[VersionState]
VERSION_STATE_UNSPECIFIED: VersionState
VERSION_STATE_ENROLLED: VersionState
VERSION_STATE_VISIBLE: VersionState
VERSION_STATE_PARTIAL: VersionState
VERSION_STATE_QUARANTINED: VersionState
VERSION_STATE_FAILED: VersionState
VERSION_STATE_WITHDRAWN: VersionState
VERSION_STATE_PURGED: VersionState

class Access(_message.Message):
    __slots__ = ("grade", "groups", "barriers", "purposes", "publish_at", "expires_at")
    GRADE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    BARRIERS_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    grade: _grade_pb2.DataGrade
    groups: _containers.RepeatedScalarFieldContainer[str]
    barriers: _containers.RepeatedScalarFieldContainer[str]
    purposes: _containers.RepeatedScalarFieldContainer[str]
    publish_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, grade: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., groups: _Optional[_Iterable[str]] = ..., barriers: _Optional[_Iterable[str]] = ..., purposes: _Optional[_Iterable[str]] = ..., publish_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DocumentDescription(_message.Message):
    __slots__ = ("document_id", "source_version", "title", "file_name", "media_type", "access", "valid_from", "valid_to", "review_at", "base_document_id", "product", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_TO_FIELD_NUMBER: _ClassVar[int]
    REVIEW_AT_FIELD_NUMBER: _ClassVar[int]
    BASE_DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    source_version: int
    title: str
    file_name: str
    media_type: str
    access: Access
    valid_from: _timestamp_pb2.Timestamp
    valid_to: _timestamp_pb2.Timestamp
    review_at: _timestamp_pb2.Timestamp
    base_document_id: str
    product: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, document_id: _Optional[str] = ..., source_version: _Optional[int] = ..., title: _Optional[str] = ..., file_name: _Optional[str] = ..., media_type: _Optional[str] = ..., access: _Optional[_Union[Access, _Mapping]] = ..., valid_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., valid_to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., review_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., base_document_id: _Optional[str] = ..., product: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class DocumentVersion(_message.Message):
    __slots__ = ("document_id", "source_version", "title", "state", "reason", "from_sequence", "to_sequence", "valid_from", "valid_to", "review_at", "content_sha256", "passages", "base_document_id", "product", "grade", "held")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TO_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_TO_FIELD_NUMBER: _ClassVar[int]
    REVIEW_AT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SHA256_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    BASE_DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    source_version: int
    title: str
    state: VersionState
    reason: str
    from_sequence: int
    to_sequence: int
    valid_from: _timestamp_pb2.Timestamp
    valid_to: _timestamp_pb2.Timestamp
    review_at: _timestamp_pb2.Timestamp
    content_sha256: bytes
    passages: int
    base_document_id: str
    product: str
    grade: _grade_pb2.DataGrade
    held: bool
    def __init__(self, document_id: _Optional[str] = ..., source_version: _Optional[int] = ..., title: _Optional[str] = ..., state: _Optional[_Union[VersionState, str]] = ..., reason: _Optional[str] = ..., from_sequence: _Optional[int] = ..., to_sequence: _Optional[int] = ..., valid_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., valid_to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., review_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., content_sha256: _Optional[bytes] = ..., passages: _Optional[int] = ..., base_document_id: _Optional[str] = ..., product: _Optional[str] = ..., grade: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., held: _Optional[bool] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("x0", "y0", "x1", "y1")
    X0_FIELD_NUMBER: _ClassVar[int]
    Y0_FIELD_NUMBER: _ClassVar[int]
    X1_FIELD_NUMBER: _ClassVar[int]
    Y1_FIELD_NUMBER: _ClassVar[int]
    x0: float
    y0: float
    x1: float
    y1: float
    def __init__(self, x0: _Optional[float] = ..., y0: _Optional[float] = ..., x1: _Optional[float] = ..., y1: _Optional[float] = ...) -> None: ...

class Passage(_message.Message):
    __slots__ = ("passage_id", "document_id", "source_version", "title", "heading_path", "text", "table_header", "page", "box", "clause", "record_id", "text_sha256", "grade", "superseded", "review_due", "rank", "url")
    PASSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    HEADING_PATH_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TABLE_HEADER_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    CLAUSE_FIELD_NUMBER: _ClassVar[int]
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_SHA256_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDED_FIELD_NUMBER: _ClassVar[int]
    REVIEW_DUE_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    passage_id: str
    document_id: str
    source_version: int
    title: str
    heading_path: _containers.RepeatedScalarFieldContainer[str]
    text: str
    table_header: str
    page: int
    box: Box
    clause: str
    record_id: str
    text_sha256: bytes
    grade: _grade_pb2.DataGrade
    superseded: bool
    review_due: bool
    rank: int
    url: str
    def __init__(self, passage_id: _Optional[str] = ..., document_id: _Optional[str] = ..., source_version: _Optional[int] = ..., title: _Optional[str] = ..., heading_path: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ..., table_header: _Optional[str] = ..., page: _Optional[int] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., clause: _Optional[str] = ..., record_id: _Optional[str] = ..., text_sha256: _Optional[bytes] = ..., grade: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., superseded: _Optional[bool] = ..., review_due: _Optional[bool] = ..., rank: _Optional[int] = ..., url: _Optional[str] = ...) -> None: ...
