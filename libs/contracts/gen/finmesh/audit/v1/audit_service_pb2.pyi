import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LeafKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEAF_KIND_UNSPECIFIED: _ClassVar[LeafKind]
    LEAF_KIND_RECORD: _ClassVar[LeafKind]
    LEAF_KIND_CONFLICT: _ClassVar[LeafKind]
    LEAF_KIND_POISON: _ClassVar[LeafKind]
    LEAF_KIND_GAP: _ClassVar[LeafKind]
    LEAF_KIND_POSITION: _ClassVar[LeafKind]
LEAF_KIND_UNSPECIFIED: LeafKind
LEAF_KIND_RECORD: LeafKind
LEAF_KIND_CONFLICT: LeafKind
LEAF_KIND_POISON: LeafKind
LEAF_KIND_GAP: LeafKind
LEAF_KIND_POSITION: LeafKind

class Leaf(_message.Message):
    __slots__ = ("index", "kind", "body", "leaf_hash", "received_time")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    LEAF_HASH_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_FIELD_NUMBER: _ClassVar[int]
    index: int
    kind: LeafKind
    body: bytes
    leaf_hash: bytes
    received_time: _timestamp_pb2.Timestamp
    def __init__(self, index: _Optional[int] = ..., kind: _Optional[_Union[LeafKind, str]] = ..., body: _Optional[bytes] = ..., leaf_hash: _Optional[bytes] = ..., received_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListRecordsRequest(_message.Message):
    __slots__ = ("tenant", "request_id", "decision_id", "page_size", "page_token")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    request_id: str
    decision_id: str
    page_size: int
    page_token: str
    def __init__(self, tenant: _Optional[str] = ..., request_id: _Optional[str] = ..., decision_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRecordsResponse(_message.Message):
    __slots__ = ("leaves", "next_page_token")
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    leaves: _containers.RepeatedCompositeFieldContainer[Leaf]
    next_page_token: str
    def __init__(self, leaves: _Optional[_Iterable[_Union[Leaf, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetInclusionProofRequest(_message.Message):
    __slots__ = ("tenant", "audit_record_id", "tree_size")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    AUDIT_RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    audit_record_id: str
    tree_size: int
    def __init__(self, tenant: _Optional[str] = ..., audit_record_id: _Optional[str] = ..., tree_size: _Optional[int] = ...) -> None: ...

class GetInclusionProofResponse(_message.Message):
    __slots__ = ("leaf", "tree_size", "hashes", "checkpoint")
    LEAF_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    leaf: Leaf
    tree_size: int
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: str
    def __init__(self, leaf: _Optional[_Union[Leaf, _Mapping]] = ..., tree_size: _Optional[int] = ..., hashes: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[str] = ...) -> None: ...

class GetConsistencyProofRequest(_message.Message):
    __slots__ = ("first_tree_size", "second_tree_size")
    FIRST_TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    SECOND_TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    first_tree_size: int
    second_tree_size: int
    def __init__(self, first_tree_size: _Optional[int] = ..., second_tree_size: _Optional[int] = ...) -> None: ...

class GetConsistencyProofResponse(_message.Message):
    __slots__ = ("hashes", "second_tree_size", "checkpoint")
    HASHES_FIELD_NUMBER: _ClassVar[int]
    SECOND_TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    second_tree_size: int
    checkpoint: str
    def __init__(self, hashes: _Optional[_Iterable[bytes]] = ..., second_tree_size: _Optional[int] = ..., checkpoint: _Optional[str] = ...) -> None: ...

class GetCheckpointRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCheckpointResponse(_message.Message):
    __slots__ = ("checkpoint", "verifier_key")
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    VERIFIER_KEY_FIELD_NUMBER: _ClassVar[int]
    checkpoint: str
    verifier_key: str
    def __init__(self, checkpoint: _Optional[str] = ..., verifier_key: _Optional[str] = ...) -> None: ...

class GetStatisticsRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    def __init__(self, tenant: _Optional[str] = ...) -> None: ...

class GetStatisticsResponse(_message.Message):
    __slots__ = ("records", "conflicts", "poison", "gaps", "tree_size")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    POISON_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    records: int
    conflicts: int
    poison: int
    gaps: int
    tree_size: int
    def __init__(self, records: _Optional[int] = ..., conflicts: _Optional[int] = ..., poison: _Optional[int] = ..., gaps: _Optional[int] = ..., tree_size: _Optional[int] = ...) -> None: ...
