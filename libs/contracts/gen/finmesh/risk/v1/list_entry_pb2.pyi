import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIST_KIND_UNSPECIFIED: _ClassVar[ListKind]
    LIST_KIND_BLOCK: _ClassVar[ListKind]
    LIST_KIND_TRUSTED_PAYEE: _ClassVar[ListKind]

class ListedEntity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LISTED_ENTITY_UNSPECIFIED: _ClassVar[ListedEntity]
    LISTED_ENTITY_CUSTOMER: _ClassVar[ListedEntity]
    LISTED_ENTITY_ACCOUNT: _ClassVar[ListedEntity]
    LISTED_ENTITY_COUNTERPARTY: _ClassVar[ListedEntity]
    LISTED_ENTITY_DEVICE: _ClassVar[ListedEntity]
    LISTED_ENTITY_INSTRUMENT: _ClassVar[ListedEntity]
LIST_KIND_UNSPECIFIED: ListKind
LIST_KIND_BLOCK: ListKind
LIST_KIND_TRUSTED_PAYEE: ListKind
LISTED_ENTITY_UNSPECIFIED: ListedEntity
LISTED_ENTITY_CUSTOMER: ListedEntity
LISTED_ENTITY_ACCOUNT: ListedEntity
LISTED_ENTITY_COUNTERPARTY: ListedEntity
LISTED_ENTITY_DEVICE: ListedEntity
LISTED_ENTITY_INSTRUMENT: ListedEntity

class ListEntryChanged(_message.Message):
    __slots__ = ("tenant", "kind", "entity", "entity_id", "customer_id", "expires_at", "author", "comment", "removed")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    ENTITY_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    kind: ListKind
    entity: ListedEntity
    entity_id: str
    customer_id: str
    expires_at: _timestamp_pb2.Timestamp
    author: str
    comment: str
    removed: bool
    def __init__(self, tenant: _Optional[str] = ..., kind: _Optional[_Union[ListKind, str]] = ..., entity: _Optional[_Union[ListedEntity, str]] = ..., entity_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., author: _Optional[str] = ..., comment: _Optional[str] = ..., removed: _Optional[bool] = ...) -> None: ...
