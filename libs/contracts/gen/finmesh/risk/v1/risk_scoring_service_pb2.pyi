from finmesh.risk.v1 import decision_pb2 as _decision_pb2
from finmesh.risk.v1 import list_entry_pb2 as _list_entry_pb2
from finmesh.risk.v1 import transaction_pb2 as _transaction_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScoreTransactionRequest(_message.Message):
    __slots__ = ("transaction",)
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    transaction: _transaction_pb2.TransactionAuthorizationRequested
    def __init__(self, transaction: _Optional[_Union[_transaction_pb2.TransactionAuthorizationRequested, _Mapping]] = ...) -> None: ...

class ScoreTransactionResponse(_message.Message):
    __slots__ = ("decision_record", "decision_id", "outcome", "reason_codes", "score", "degradations", "replayed")
    DECISION_RECORD_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_CODES_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    decision_record: bytes
    decision_id: str
    outcome: _decision_pb2.Outcome
    reason_codes: _containers.RepeatedScalarFieldContainer[str]
    score: float
    degradations: _containers.RepeatedScalarFieldContainer[_decision_pb2.Degradation]
    replayed: bool
    def __init__(self, decision_record: _Optional[bytes] = ..., decision_id: _Optional[str] = ..., outcome: _Optional[_Union[_decision_pb2.Outcome, str]] = ..., reason_codes: _Optional[_Iterable[str]] = ..., score: _Optional[float] = ..., degradations: _Optional[_Iterable[_Union[_decision_pb2.Degradation, str]]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class ScorePacs008Request(_message.Message):
    __slots__ = ("tenant", "document")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    document: bytes
    def __init__(self, tenant: _Optional[str] = ..., document: _Optional[bytes] = ...) -> None: ...

class ScorePacs008Response(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[Pacs008Result]
    def __init__(self, results: _Optional[_Iterable[_Union[Pacs008Result, _Mapping]]] = ...) -> None: ...

class Pacs008Result(_message.Message):
    __slots__ = ("index", "decision", "error_reason")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ERROR_REASON_FIELD_NUMBER: _ClassVar[int]
    index: int
    decision: ScoreTransactionResponse
    error_reason: str
    def __init__(self, index: _Optional[int] = ..., decision: _Optional[_Union[ScoreTransactionResponse, _Mapping]] = ..., error_reason: _Optional[str] = ...) -> None: ...

class GetDecisionRequest(_message.Message):
    __slots__ = ("tenant", "decision_id", "identity")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    decision_id: str
    identity: _transaction_pb2.TransactionIdentity
    def __init__(self, tenant: _Optional[str] = ..., decision_id: _Optional[str] = ..., identity: _Optional[_Union[_transaction_pb2.TransactionIdentity, _Mapping]] = ...) -> None: ...

class GetDecisionResponse(_message.Message):
    __slots__ = ("decision_record",)
    DECISION_RECORD_FIELD_NUMBER: _ClassVar[int]
    decision_record: bytes
    def __init__(self, decision_record: _Optional[bytes] = ...) -> None: ...

class ChangeListEntryRequest(_message.Message):
    __slots__ = ("entry",)
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    entry: _list_entry_pb2.ListEntryChanged
    def __init__(self, entry: _Optional[_Union[_list_entry_pb2.ListEntryChanged, _Mapping]] = ...) -> None: ...

class ChangeListEntryResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
