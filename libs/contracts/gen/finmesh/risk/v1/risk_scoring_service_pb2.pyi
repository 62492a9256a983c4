import datetime

from finmesh.risk.v1 import decision_pb2 as _decision_pb2
from finmesh.risk.v1 import list_entry_pb2 as _list_entry_pb2
from finmesh.risk.v1 import transaction_pb2 as _transaction_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
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

class BacktestRulesRequest(_message.Message):
    __slots__ = ("tenant", "rule_set", "since", "max_decisions")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RULE_SET_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    MAX_DECISIONS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    rule_set: bytes
    since: _timestamp_pb2.Timestamp
    max_decisions: int
    def __init__(self, tenant: _Optional[str] = ..., rule_set: _Optional[bytes] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., max_decisions: _Optional[int] = ...) -> None: ...

class BacktestRulesResponse(_message.Message):
    __slots__ = ("present", "candidate", "moved", "fraud_gained", "fraud_lost", "currency_code", "decisions", "left_out", "first_decided", "last_decided", "complete", "made_by_present", "reproduced")
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    FRAUD_GAINED_FIELD_NUMBER: _ClassVar[int]
    FRAUD_LOST_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    FIRST_DECIDED_FIELD_NUMBER: _ClassVar[int]
    LAST_DECIDED_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    MADE_BY_PRESENT_FIELD_NUMBER: _ClassVar[int]
    REPRODUCED_FIELD_NUMBER: _ClassVar[int]
    present: RuleSetReport
    candidate: RuleSetReport
    moved: _containers.RepeatedCompositeFieldContainer[OutcomeMove]
    fraud_gained: int
    fraud_lost: int
    currency_code: str
    decisions: int
    left_out: int
    first_decided: _timestamp_pb2.Timestamp
    last_decided: _timestamp_pb2.Timestamp
    complete: bool
    made_by_present: int
    reproduced: int
    def __init__(self, present: _Optional[_Union[RuleSetReport, _Mapping]] = ..., candidate: _Optional[_Union[RuleSetReport, _Mapping]] = ..., moved: _Optional[_Iterable[_Union[OutcomeMove, _Mapping]]] = ..., fraud_gained: _Optional[int] = ..., fraud_lost: _Optional[int] = ..., currency_code: _Optional[str] = ..., decisions: _Optional[int] = ..., left_out: _Optional[int] = ..., first_decided: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_decided: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., complete: _Optional[bool] = ..., made_by_present: _Optional[int] = ..., reproduced: _Optional[int] = ...) -> None: ...

class RuleSetReport(_message.Message):
    __slots__ = ("version", "outcomes", "fraud_caught", "fraud_missed", "fraud_caught_minor", "fraud_missed_minor", "genuine_with_friction", "rules")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    FRAUD_CAUGHT_FIELD_NUMBER: _ClassVar[int]
    FRAUD_MISSED_FIELD_NUMBER: _ClassVar[int]
    FRAUD_CAUGHT_MINOR_FIELD_NUMBER: _ClassVar[int]
    FRAUD_MISSED_MINOR_FIELD_NUMBER: _ClassVar[int]
    GENUINE_WITH_FRICTION_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    version: str
    outcomes: _containers.RepeatedCompositeFieldContainer[OutcomeTotal]
    fraud_caught: int
    fraud_missed: int
    fraud_caught_minor: int
    fraud_missed_minor: int
    genuine_with_friction: int
    rules: _containers.RepeatedCompositeFieldContainer[RuleHits]
    def __init__(self, version: _Optional[str] = ..., outcomes: _Optional[_Iterable[_Union[OutcomeTotal, _Mapping]]] = ..., fraud_caught: _Optional[int] = ..., fraud_missed: _Optional[int] = ..., fraud_caught_minor: _Optional[int] = ..., fraud_missed_minor: _Optional[int] = ..., genuine_with_friction: _Optional[int] = ..., rules: _Optional[_Iterable[_Union[RuleHits, _Mapping]]] = ...) -> None: ...

class OutcomeTotal(_message.Message):
    __slots__ = ("outcome", "count", "amount_minor")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    outcome: _decision_pb2.Outcome
    count: int
    amount_minor: int
    def __init__(self, outcome: _Optional[_Union[_decision_pb2.Outcome, str]] = ..., count: _Optional[int] = ..., amount_minor: _Optional[int] = ...) -> None: ...

class RuleHits(_message.Message):
    __slots__ = ("rule", "hits", "fraud_hits")
    RULE_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    FRAUD_HITS_FIELD_NUMBER: _ClassVar[int]
    rule: str
    hits: int
    fraud_hits: int
    def __init__(self, rule: _Optional[str] = ..., hits: _Optional[int] = ..., fraud_hits: _Optional[int] = ...) -> None: ...

class OutcomeMove(_message.Message):
    __slots__ = ("present", "candidate", "count")
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    present: _decision_pb2.Outcome
    candidate: _decision_pb2.Outcome
    count: int
    def __init__(self, present: _Optional[_Union[_decision_pb2.Outcome, str]] = ..., candidate: _Optional[_Union[_decision_pb2.Outcome, str]] = ..., count: _Optional[int] = ...) -> None: ...
