import datetime

from finmesh.common.v1 import grade_pb2 as _grade_pb2
from finmesh.inference.v1 import generation_pb2 as _generation_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIST_ACTION_UNSPECIFIED: _ClassVar[ListAction]
    LIST_ACTION_SET: _ClassVar[ListAction]
    LIST_ACTION_REMOVE: _ClassVar[ListAction]

class Versioned(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERSIONED_UNSPECIFIED: _ClassVar[Versioned]
    VERSIONED_RULES: _ClassVar[Versioned]
    VERSIONED_SHADOW_RULES: _ClassVar[Versioned]
    VERSIONED_CHANNELS: _ClassVar[Versioned]
    VERSIONED_POLICIES: _ClassVar[Versioned]
    VERSIONED_TOKEN_KEYS: _ClassVar[Versioned]
    VERSIONED_KEYS: _ClassVar[Versioned]

class KnowledgeAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KNOWLEDGE_ACTION_UNSPECIFIED: _ClassVar[KnowledgeAction]
    KNOWLEDGE_ACTION_GRANT: _ClassVar[KnowledgeAction]
    KNOWLEDGE_ACTION_HOLD: _ClassVar[KnowledgeAction]
    KNOWLEDGE_ACTION_LIFT_HOLD: _ClassVar[KnowledgeAction]
    KNOWLEDGE_ACTION_PURGE: _ClassVar[KnowledgeAction]
    KNOWLEDGE_ACTION_RELEASE: _ClassVar[KnowledgeAction]
    KNOWLEDGE_ACTION_REFUSE: _ClassVar[KnowledgeAction]
    KNOWLEDGE_ACTION_WITHDRAW: _ClassVar[KnowledgeAction]
    KNOWLEDGE_ACTION_PUBLISH: _ClassVar[KnowledgeAction]

class RetrievalKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETRIEVAL_KIND_UNSPECIFIED: _ClassVar[RetrievalKind]
    RETRIEVAL_KIND_ASK: _ClassVar[RetrievalKind]
    RETRIEVAL_KIND_SEARCH: _ClassVar[RetrievalKind]
    RETRIEVAL_KIND_PASSAGE: _ClassVar[RetrievalKind]
    RETRIEVAL_KIND_CLAUSES: _ClassVar[RetrievalKind]
    RETRIEVAL_KIND_COMPARE: _ClassVar[RetrievalKind]
    RETRIEVAL_KIND_CONVERSATION: _ClassVar[RetrievalKind]

class RetrievalStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETRIEVAL_STAGE_UNSPECIFIED: _ClassVar[RetrievalStage]
    RETRIEVAL_STAGE_WHOLE: _ClassVar[RetrievalStage]
    RETRIEVAL_STAGE_BEGUN: _ClassVar[RetrievalStage]
    RETRIEVAL_STAGE_ENDED: _ClassVar[RetrievalStage]

class KvIntegrity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KV_INTEGRITY_UNSPECIFIED: _ClassVar[KvIntegrity]
    KV_INTEGRITY_CHECKSUM: _ClassVar[KvIntegrity]
    KV_INTEGRITY_ENGINE: _ClassVar[KvIntegrity]
LIST_ACTION_UNSPECIFIED: ListAction
LIST_ACTION_SET: ListAction
LIST_ACTION_REMOVE: ListAction
VERSIONED_UNSPECIFIED: Versioned
VERSIONED_RULES: Versioned
VERSIONED_SHADOW_RULES: Versioned
VERSIONED_CHANNELS: Versioned
VERSIONED_POLICIES: Versioned
VERSIONED_TOKEN_KEYS: Versioned
VERSIONED_KEYS: Versioned
KNOWLEDGE_ACTION_UNSPECIFIED: KnowledgeAction
KNOWLEDGE_ACTION_GRANT: KnowledgeAction
KNOWLEDGE_ACTION_HOLD: KnowledgeAction
KNOWLEDGE_ACTION_LIFT_HOLD: KnowledgeAction
KNOWLEDGE_ACTION_PURGE: KnowledgeAction
KNOWLEDGE_ACTION_RELEASE: KnowledgeAction
KNOWLEDGE_ACTION_REFUSE: KnowledgeAction
KNOWLEDGE_ACTION_WITHDRAW: KnowledgeAction
KNOWLEDGE_ACTION_PUBLISH: KnowledgeAction
RETRIEVAL_KIND_UNSPECIFIED: RetrievalKind
RETRIEVAL_KIND_ASK: RetrievalKind
RETRIEVAL_KIND_SEARCH: RetrievalKind
RETRIEVAL_KIND_PASSAGE: RetrievalKind
RETRIEVAL_KIND_CLAUSES: RetrievalKind
RETRIEVAL_KIND_COMPARE: RetrievalKind
RETRIEVAL_KIND_CONVERSATION: RetrievalKind
RETRIEVAL_STAGE_UNSPECIFIED: RetrievalStage
RETRIEVAL_STAGE_WHOLE: RetrievalStage
RETRIEVAL_STAGE_BEGUN: RetrievalStage
RETRIEVAL_STAGE_ENDED: RetrievalStage
KV_INTEGRITY_UNSPECIFIED: KvIntegrity
KV_INTEGRITY_CHECKSUM: KvIntegrity
KV_INTEGRITY_ENGINE: KvIntegrity

class AuditRecord(_message.Message):
    __slots__ = ("audit_record_id", "producer", "tenant", "scenario", "purpose", "principal_key", "request_id", "decision_id", "decision_commitment", "commitment_key_id", "feature_commitment", "outcome", "reason_codes", "model_digest", "model_version", "rule_set_version", "feature_schema_version", "degradations", "grade", "trace_id", "event_time", "decided_time", "policy_hash", "build", "model_sha256", "rules_sha256", "thresholds_sha256", "lost_before", "denial", "change", "generation", "retrieval")
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
    MODEL_SHA256_FIELD_NUMBER: _ClassVar[int]
    RULES_SHA256_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_SHA256_FIELD_NUMBER: _ClassVar[int]
    LOST_BEFORE_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RETRIEVAL_FIELD_NUMBER: _ClassVar[int]
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
    model_sha256: bytes
    rules_sha256: bytes
    thresholds_sha256: bytes
    lost_before: int
    denial: Denial
    change: Change
    generation: Generation
    retrieval: Retrieval
    def __init__(self, audit_record_id: _Optional[str] = ..., producer: _Optional[str] = ..., tenant: _Optional[str] = ..., scenario: _Optional[str] = ..., purpose: _Optional[str] = ..., principal_key: _Optional[bytes] = ..., request_id: _Optional[str] = ..., decision_id: _Optional[str] = ..., decision_commitment: _Optional[bytes] = ..., commitment_key_id: _Optional[str] = ..., feature_commitment: _Optional[bytes] = ..., outcome: _Optional[str] = ..., reason_codes: _Optional[_Iterable[str]] = ..., model_digest: _Optional[str] = ..., model_version: _Optional[str] = ..., rule_set_version: _Optional[str] = ..., feature_schema_version: _Optional[int] = ..., degradations: _Optional[_Iterable[str]] = ..., grade: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., trace_id: _Optional[bytes] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decided_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., policy_hash: _Optional[bytes] = ..., build: _Optional[str] = ..., model_sha256: _Optional[bytes] = ..., rules_sha256: _Optional[bytes] = ..., thresholds_sha256: _Optional[bytes] = ..., lost_before: _Optional[int] = ..., denial: _Optional[_Union[Denial, _Mapping]] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., generation: _Optional[_Union[Generation, _Mapping]] = ..., retrieval: _Optional[_Union[Retrieval, _Mapping]] = ...) -> None: ...

class Denial(_message.Message):
    __slots__ = ("refused",)
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    refused: _containers.RepeatedCompositeFieldContainer[RefusedCalls]
    def __init__(self, refused: _Optional[_Iterable[_Union[RefusedCalls, _Mapping]]] = ...) -> None: ...

class RefusedCalls(_message.Message):
    __slots__ = ("reason", "method", "workload", "count")
    REASON_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    method: str
    workload: str
    count: int
    def __init__(self, reason: _Optional[str] = ..., method: _Optional[str] = ..., workload: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("list_entry", "version", "knowledge")
    LIST_ENTRY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    list_entry: ListEntryChange
    version: VersionChange
    knowledge: KnowledgeChange
    def __init__(self, list_entry: _Optional[_Union[ListEntryChange, _Mapping]] = ..., version: _Optional[_Union[VersionChange, _Mapping]] = ..., knowledge: _Optional[_Union[KnowledgeChange, _Mapping]] = ...) -> None: ...

class ListEntryChange(_message.Message):
    __slots__ = ("list", "entity", "entry_key", "commitment", "action", "expires_at")
    LIST_FIELD_NUMBER: _ClassVar[int]
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    ENTRY_KEY_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    list: str
    entity: str
    entry_key: bytes
    commitment: bytes
    action: ListAction
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, list: _Optional[str] = ..., entity: _Optional[str] = ..., entry_key: _Optional[bytes] = ..., commitment: _Optional[bytes] = ..., action: _Optional[_Union[ListAction, str]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class VersionChange(_message.Message):
    __slots__ = ("of", "before_sha256", "after_sha256", "name")
    OF_FIELD_NUMBER: _ClassVar[int]
    BEFORE_SHA256_FIELD_NUMBER: _ClassVar[int]
    AFTER_SHA256_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    of: Versioned
    before_sha256: bytes
    after_sha256: bytes
    name: str
    def __init__(self, of: _Optional[_Union[Versioned, str]] = ..., before_sha256: _Optional[bytes] = ..., after_sha256: _Optional[bytes] = ..., name: _Optional[str] = ...) -> None: ...

class KnowledgeChange(_message.Message):
    __slots__ = ("action", "document_key", "source_version", "sequence", "content_sha256", "grade", "state", "whom_key", "groups", "barriers", "commitment")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SHA256_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WHOM_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    BARRIERS_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    action: KnowledgeAction
    document_key: bytes
    source_version: int
    sequence: int
    content_sha256: bytes
    grade: _grade_pb2.DataGrade
    state: str
    whom_key: bytes
    groups: int
    barriers: int
    commitment: bytes
    def __init__(self, action: _Optional[_Union[KnowledgeAction, str]] = ..., document_key: _Optional[bytes] = ..., source_version: _Optional[int] = ..., sequence: _Optional[int] = ..., content_sha256: _Optional[bytes] = ..., grade: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., state: _Optional[str] = ..., whom_key: _Optional[bytes] = ..., groups: _Optional[int] = ..., barriers: _Optional[int] = ..., commitment: _Optional[bytes] = ...) -> None: ...

class Retrieval(_message.Message):
    __slots__ = ("kind", "stage", "clearance", "groups", "barriers", "access_sha256", "sequence", "valid_at", "known_at_sequence", "query_commitment", "scope_commitment", "conversation_key", "answerer", "answer_commitment", "passages", "forbidden_keys", "refusal", "warnings", "configuration_sha256", "generation_ids", "interrupted")
    KIND_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CLEARANCE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    BARRIERS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_SHA256_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    VALID_AT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    QUERY_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    SCOPE_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_KEY_FIELD_NUMBER: _ClassVar[int]
    ANSWERER_FIELD_NUMBER: _ClassVar[int]
    ANSWER_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    FORBIDDEN_KEYS_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_SHA256_FIELD_NUMBER: _ClassVar[int]
    GENERATION_IDS_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    kind: RetrievalKind
    stage: RetrievalStage
    clearance: int
    groups: int
    barriers: int
    access_sha256: bytes
    sequence: int
    valid_at: _timestamp_pb2.Timestamp
    known_at_sequence: int
    query_commitment: bytes
    scope_commitment: bytes
    conversation_key: bytes
    answerer: str
    answer_commitment: bytes
    passages: _containers.RepeatedCompositeFieldContainer[RetrievedPassage]
    forbidden_keys: _containers.RepeatedScalarFieldContainer[bytes]
    refusal: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    configuration_sha256: bytes
    generation_ids: _containers.RepeatedScalarFieldContainer[str]
    interrupted: bool
    def __init__(self, kind: _Optional[_Union[RetrievalKind, str]] = ..., stage: _Optional[_Union[RetrievalStage, str]] = ..., clearance: _Optional[int] = ..., groups: _Optional[int] = ..., barriers: _Optional[int] = ..., access_sha256: _Optional[bytes] = ..., sequence: _Optional[int] = ..., valid_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., known_at_sequence: _Optional[int] = ..., query_commitment: _Optional[bytes] = ..., scope_commitment: _Optional[bytes] = ..., conversation_key: _Optional[bytes] = ..., answerer: _Optional[str] = ..., answer_commitment: _Optional[bytes] = ..., passages: _Optional[_Iterable[_Union[RetrievedPassage, _Mapping]]] = ..., forbidden_keys: _Optional[_Iterable[bytes]] = ..., refusal: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., configuration_sha256: _Optional[bytes] = ..., generation_ids: _Optional[_Iterable[str]] = ..., interrupted: _Optional[bool] = ...) -> None: ...

class RetrievedPassage(_message.Message):
    __slots__ = ("document_key", "source_version", "ordinal", "passage_key", "text_sha256", "text_commitment", "cited", "readable")
    DOCUMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_KEY_FIELD_NUMBER: _ClassVar[int]
    TEXT_SHA256_FIELD_NUMBER: _ClassVar[int]
    TEXT_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    CITED_FIELD_NUMBER: _ClassVar[int]
    READABLE_FIELD_NUMBER: _ClassVar[int]
    document_key: bytes
    source_version: int
    ordinal: int
    passage_key: bytes
    text_sha256: bytes
    text_commitment: bytes
    cited: bool
    readable: bool
    def __init__(self, document_key: _Optional[bytes] = ..., source_version: _Optional[int] = ..., ordinal: _Optional[int] = ..., passage_key: _Optional[bytes] = ..., text_sha256: _Optional[bytes] = ..., text_commitment: _Optional[bytes] = ..., cited: _Optional[bool] = ..., readable: _Optional[bool] = ...) -> None: ...

class Generation(_message.Message):
    __slots__ = ("generation_id", "started", "ended", "budget_key")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    BUDGET_KEY_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    started: GenerationStarted
    ended: GenerationEnded
    budget_key: bytes
    def __init__(self, generation_id: _Optional[str] = ..., started: _Optional[_Union[GenerationStarted, _Mapping]] = ..., ended: _Optional[_Union[GenerationEnded, _Mapping]] = ..., budget_key: _Optional[bytes] = ...) -> None: ...

class GenerationStarted(_message.Message):
    __slots__ = ("model", "tokenizer_sha256", "release", "prompt_tokens", "prompt_commitment", "max_output_tokens", "sampling", "grammar_commitment", "stops", "routing", "tools", "tools_commitment", "tool_choice", "standby_for", "standby_reason", "first_generation_id")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_SHA256_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    STOPS_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    TOOLS_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    TOOL_CHOICE_FIELD_NUMBER: _ClassVar[int]
    STANDBY_FOR_FIELD_NUMBER: _ClassVar[int]
    STANDBY_REASON_FIELD_NUMBER: _ClassVar[int]
    FIRST_GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    model: str
    tokenizer_sha256: bytes
    release: str
    prompt_tokens: int
    prompt_commitment: bytes
    max_output_tokens: int
    sampling: SamplingParameters
    grammar_commitment: bytes
    stops: int
    routing: Routing
    tools: int
    tools_commitment: bytes
    tool_choice: str
    standby_for: str
    standby_reason: str
    first_generation_id: str
    def __init__(self, model: _Optional[str] = ..., tokenizer_sha256: _Optional[bytes] = ..., release: _Optional[str] = ..., prompt_tokens: _Optional[int] = ..., prompt_commitment: _Optional[bytes] = ..., max_output_tokens: _Optional[int] = ..., sampling: _Optional[_Union[SamplingParameters, _Mapping]] = ..., grammar_commitment: _Optional[bytes] = ..., stops: _Optional[int] = ..., routing: _Optional[_Union[Routing, _Mapping]] = ..., tools: _Optional[int] = ..., tools_commitment: _Optional[bytes] = ..., tool_choice: _Optional[str] = ..., standby_for: _Optional[str] = ..., standby_reason: _Optional[str] = ..., first_generation_id: _Optional[str] = ...) -> None: ...

class SamplingParameters(_message.Message):
    __slots__ = ("temperature", "top_p", "top_k", "seed", "seed_given", "choices")
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SEED_GIVEN_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    top_p: float
    top_k: int
    seed: bytes
    seed_given: bool
    choices: int
    def __init__(self, temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., top_k: _Optional[int] = ..., seed: _Optional[bytes] = ..., seed_given: _Optional[bool] = ..., choices: _Optional[int] = ...) -> None: ...

class Routing(_message.Message):
    __slots__ = ("decode_worker", "decode_reason", "prefill_worker", "prefill_reason", "disaggregated", "reason", "scores")
    DECODE_WORKER_FIELD_NUMBER: _ClassVar[int]
    DECODE_REASON_FIELD_NUMBER: _ClassVar[int]
    PREFILL_WORKER_FIELD_NUMBER: _ClassVar[int]
    PREFILL_REASON_FIELD_NUMBER: _ClassVar[int]
    DISAGGREGATED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    decode_worker: str
    decode_reason: str
    prefill_worker: str
    prefill_reason: str
    disaggregated: bool
    reason: str
    scores: _containers.RepeatedCompositeFieldContainer[RoutingScore]
    def __init__(self, decode_worker: _Optional[str] = ..., decode_reason: _Optional[str] = ..., prefill_worker: _Optional[str] = ..., prefill_reason: _Optional[str] = ..., disaggregated: _Optional[bool] = ..., reason: _Optional[str] = ..., scores: _Optional[_Iterable[_Union[RoutingScore, _Mapping]]] = ...) -> None: ...

class RoutingScore(_message.Message):
    __slots__ = ("worker", "cost_milli", "cached_blocks", "load_milli", "queue_milli")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    COST_MILLI_FIELD_NUMBER: _ClassVar[int]
    CACHED_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    LOAD_MILLI_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MILLI_FIELD_NUMBER: _ClassVar[int]
    worker: str
    cost_milli: int
    cached_blocks: int
    load_milli: int
    queue_milli: int
    def __init__(self, worker: _Optional[str] = ..., cost_milli: _Optional[int] = ..., cached_blocks: _Optional[int] = ..., load_milli: _Optional[int] = ..., queue_milli: _Optional[int] = ...) -> None: ...

class GenerationEnded(_message.Message):
    __slots__ = ("answers", "usage", "prefill_worker", "decode_worker", "disaggregated", "reason", "kv_integrity", "failovers", "continued", "error", "interrupted")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    PREFILL_WORKER_FIELD_NUMBER: _ClassVar[int]
    DECODE_WORKER_FIELD_NUMBER: _ClassVar[int]
    DISAGGREGATED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    KV_INTEGRITY_FIELD_NUMBER: _ClassVar[int]
    FAILOVERS_FIELD_NUMBER: _ClassVar[int]
    CONTINUED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[AnswerEnded]
    usage: _generation_pb2.UsageFacts
    prefill_worker: str
    decode_worker: str
    disaggregated: bool
    reason: str
    kv_integrity: KvIntegrity
    failovers: int
    continued: _containers.RepeatedScalarFieldContainer[str]
    error: str
    interrupted: bool
    def __init__(self, answers: _Optional[_Iterable[_Union[AnswerEnded, _Mapping]]] = ..., usage: _Optional[_Union[_generation_pb2.UsageFacts, _Mapping]] = ..., prefill_worker: _Optional[str] = ..., decode_worker: _Optional[str] = ..., disaggregated: _Optional[bool] = ..., reason: _Optional[str] = ..., kv_integrity: _Optional[_Union[KvIntegrity, str]] = ..., failovers: _Optional[int] = ..., continued: _Optional[_Iterable[str]] = ..., error: _Optional[str] = ..., interrupted: _Optional[bool] = ...) -> None: ...

class AnswerEnded(_message.Message):
    __slots__ = ("finish_reason", "output_tokens", "output_commitment", "called", "calls_commitment")
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    CALLED_FIELD_NUMBER: _ClassVar[int]
    CALLS_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    finish_reason: _generation_pb2.FinishReason
    output_tokens: int
    output_commitment: bytes
    called: _containers.RepeatedScalarFieldContainer[int]
    calls_commitment: bytes
    def __init__(self, finish_reason: _Optional[_Union[_generation_pb2.FinishReason, str]] = ..., output_tokens: _Optional[int] = ..., output_commitment: _Optional[bytes] = ..., called: _Optional[_Iterable[int]] = ..., calls_commitment: _Optional[bytes] = ...) -> None: ...

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
