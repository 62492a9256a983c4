import datetime

from finmesh.common.v1 import money_pb2 as _money_pb2
from finmesh.risk.v1 import transaction_pb2 as _transaction_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_APPROVE: _ClassVar[Outcome]
    OUTCOME_CHALLENGE: _ClassVar[Outcome]
    OUTCOME_REVIEW: _ClassVar[Outcome]
    OUTCOME_DECLINE: _ClassVar[Outcome]

class ChannelMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_MODE_UNSPECIFIED: _ClassVar[ChannelMode]
    CHANNEL_MODE_LIVE: _ClassVar[ChannelMode]
    CHANNEL_MODE_MONITOR: _ClassVar[ChannelMode]
    CHANNEL_MODE_OFF: _ClassVar[ChannelMode]

class Degradation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEGRADATION_UNSPECIFIED: _ClassVar[Degradation]
    DEGRADATION_MODEL_IN_PROCESS: _ClassVar[Degradation]
    DEGRADATION_RULES_ONLY: _ClassVar[Degradation]
    DEGRADATION_NO_FEATURES: _ClassVar[Degradation]
    DEGRADATION_DEADLINE: _ClassVar[Degradation]
    DEGRADATION_OLD_SCHEMA: _ClassVar[Degradation]
    DEGRADATION_MODEL_SERVED: _ClassVar[Degradation]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_APPROVE: Outcome
OUTCOME_CHALLENGE: Outcome
OUTCOME_REVIEW: Outcome
OUTCOME_DECLINE: Outcome
CHANNEL_MODE_UNSPECIFIED: ChannelMode
CHANNEL_MODE_LIVE: ChannelMode
CHANNEL_MODE_MONITOR: ChannelMode
CHANNEL_MODE_OFF: ChannelMode
DEGRADATION_UNSPECIFIED: Degradation
DEGRADATION_MODEL_IN_PROCESS: Degradation
DEGRADATION_RULES_ONLY: Degradation
DEGRADATION_NO_FEATURES: Degradation
DEGRADATION_DEADLINE: Degradation
DEGRADATION_OLD_SCHEMA: Degradation
DEGRADATION_MODEL_SERVED: Degradation

class Reason(_message.Message):
    __slots__ = ("code", "contribution")
    CODE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    code: str
    contribution: float
    def __init__(self, code: _Optional[str] = ..., contribution: _Optional[float] = ...) -> None: ...

class DecisionVersions(_message.Message):
    __slots__ = ("feature_schema_version", "rule_set_version", "model_version", "model_digest", "rate_version")
    FEATURE_SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    RULE_SET_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RATE_VERSION_FIELD_NUMBER: _ClassVar[int]
    feature_schema_version: int
    rule_set_version: str
    model_version: str
    model_digest: str
    rate_version: str
    def __init__(self, feature_schema_version: _Optional[int] = ..., rule_set_version: _Optional[str] = ..., model_version: _Optional[str] = ..., model_digest: _Optional[str] = ..., rate_version: _Optional[str] = ...) -> None: ...

class FeatureDelta(_message.Message):
    __slots__ = ("customer_key", "counterparty_key", "device_key", "account_key", "event_time_s", "reference_amount_minor", "geo_key", "local_hour")
    CUSTOMER_KEY_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTY_KEY_FIELD_NUMBER: _ClassVar[int]
    DEVICE_KEY_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_KEY_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_S_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    GEO_KEY_FIELD_NUMBER: _ClassVar[int]
    LOCAL_HOUR_FIELD_NUMBER: _ClassVar[int]
    customer_key: bytes
    counterparty_key: bytes
    device_key: bytes
    account_key: bytes
    event_time_s: int
    reference_amount_minor: int
    geo_key: int
    local_hour: int
    def __init__(self, customer_key: _Optional[bytes] = ..., counterparty_key: _Optional[bytes] = ..., device_key: _Optional[bytes] = ..., account_key: _Optional[bytes] = ..., event_time_s: _Optional[int] = ..., reference_amount_minor: _Optional[int] = ..., geo_key: _Optional[int] = ..., local_hour: _Optional[int] = ...) -> None: ...

class TransactionDecided(_message.Message):
    __slots__ = ("decision_id", "tenant", "fingerprint", "channel", "mode", "outcome", "recommended_outcome", "score", "reasons", "rule_hits", "thresholds", "versions", "degradations", "features", "delta", "event_time", "decided_time", "amount", "decline_capped", "trace_id", "input_position", "purpose", "rule_inputs")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDED_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    RULE_HITS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    DECIDED_TIME_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    DECLINE_CAPPED_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_POSITION_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    RULE_INPUTS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    tenant: str
    fingerprint: bytes
    channel: _transaction_pb2.Channel
    mode: ChannelMode
    outcome: Outcome
    recommended_outcome: Outcome
    score: float
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    rule_hits: _containers.RepeatedScalarFieldContainer[str]
    thresholds: _containers.RepeatedScalarFieldContainer[float]
    versions: DecisionVersions
    degradations: _containers.RepeatedScalarFieldContainer[Degradation]
    features: bytes
    delta: FeatureDelta
    event_time: _timestamp_pb2.Timestamp
    decided_time: _timestamp_pb2.Timestamp
    amount: _money_pb2.Money
    decline_capped: bool
    trace_id: bytes
    input_position: InputPosition
    purpose: str
    rule_inputs: RuleInputs
    def __init__(self, decision_id: _Optional[str] = ..., tenant: _Optional[str] = ..., fingerprint: _Optional[bytes] = ..., channel: _Optional[_Union[_transaction_pb2.Channel, str]] = ..., mode: _Optional[_Union[ChannelMode, str]] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., recommended_outcome: _Optional[_Union[Outcome, str]] = ..., score: _Optional[float] = ..., reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ..., rule_hits: _Optional[_Iterable[str]] = ..., thresholds: _Optional[_Iterable[float]] = ..., versions: _Optional[_Union[DecisionVersions, _Mapping]] = ..., degradations: _Optional[_Iterable[_Union[Degradation, str]]] = ..., features: _Optional[bytes] = ..., delta: _Optional[_Union[FeatureDelta, _Mapping]] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decided_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., decline_capped: _Optional[bool] = ..., trace_id: _Optional[bytes] = ..., input_position: _Optional[_Union[InputPosition, _Mapping]] = ..., purpose: _Optional[str] = ..., rule_inputs: _Optional[_Union[RuleInputs, _Mapping]] = ...) -> None: ...

class RuleInputs(_message.Message):
    __slots__ = ("merchant_category_code", "country_code", "utc_offset_minutes", "block_listed", "trusted_payee")
    MERCHANT_CATEGORY_CODE_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    UTC_OFFSET_MINUTES_FIELD_NUMBER: _ClassVar[int]
    BLOCK_LISTED_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_PAYEE_FIELD_NUMBER: _ClassVar[int]
    merchant_category_code: str
    country_code: str
    utc_offset_minutes: int
    block_listed: bool
    trusted_payee: bool
    def __init__(self, merchant_category_code: _Optional[str] = ..., country_code: _Optional[str] = ..., utc_offset_minutes: _Optional[int] = ..., block_listed: _Optional[bool] = ..., trusted_payee: _Optional[bool] = ...) -> None: ...

class InputPosition(_message.Message):
    __slots__ = ("partition", "offset")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    partition: int
    offset: int
    def __init__(self, partition: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...
