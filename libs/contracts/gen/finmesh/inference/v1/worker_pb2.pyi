from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkerRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORKER_ROLE_UNSPECIFIED: _ClassVar[WorkerRole]
    WORKER_ROLE_PREFILL: _ClassVar[WorkerRole]
    WORKER_ROLE_DECODE: _ClassVar[WorkerRole]
    WORKER_ROLE_GENERATE: _ClassVar[WorkerRole]

class WorkerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORKER_STATE_UNSPECIFIED: _ClassVar[WorkerState]
    WORKER_STATE_STARTING: _ClassVar[WorkerState]
    WORKER_STATE_READY: _ClassVar[WorkerState]
    WORKER_STATE_DRAINING: _ClassVar[WorkerState]
    WORKER_STATE_ISOLATED: _ClassVar[WorkerState]
    WORKER_STATE_PROBATION: _ClassVar[WorkerState]
WORKER_ROLE_UNSPECIFIED: WorkerRole
WORKER_ROLE_PREFILL: WorkerRole
WORKER_ROLE_DECODE: WorkerRole
WORKER_ROLE_GENERATE: WorkerRole
WORKER_STATE_UNSPECIFIED: WorkerState
WORKER_STATE_STARTING: WorkerState
WORKER_STATE_READY: WorkerState
WORKER_STATE_DRAINING: WorkerState
WORKER_STATE_ISOLATED: WorkerState
WORKER_STATE_PROBATION: WorkerState

class WorkerDescription(_message.Message):
    __slots__ = ("worker_id", "incarnation", "role", "vendor", "device", "model", "model_digest", "tokenizer_digest", "layout_digest", "block_tokens", "token_bytes", "max_len_tokens", "rows", "highest_grade", "price_per_hour_minor", "zone", "host_nonce", "kind", "takes_text", "memory_bytes")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    VENDOR_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    BLOCK_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_LEN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    HIGHEST_GRADE_FIELD_NUMBER: _ClassVar[int]
    PRICE_PER_HOUR_MINOR_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    HOST_NONCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TAKES_TEXT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    incarnation: str
    role: WorkerRole
    vendor: str
    device: str
    model: str
    model_digest: bytes
    tokenizer_digest: bytes
    layout_digest: bytes
    block_tokens: int
    token_bytes: int
    max_len_tokens: int
    rows: int
    highest_grade: int
    price_per_hour_minor: int
    zone: str
    host_nonce: str
    kind: str
    takes_text: bool
    memory_bytes: int
    def __init__(self, worker_id: _Optional[str] = ..., incarnation: _Optional[str] = ..., role: _Optional[_Union[WorkerRole, str]] = ..., vendor: _Optional[str] = ..., device: _Optional[str] = ..., model: _Optional[str] = ..., model_digest: _Optional[bytes] = ..., tokenizer_digest: _Optional[bytes] = ..., layout_digest: _Optional[bytes] = ..., block_tokens: _Optional[int] = ..., token_bytes: _Optional[int] = ..., max_len_tokens: _Optional[int] = ..., rows: _Optional[int] = ..., highest_grade: _Optional[int] = ..., price_per_hour_minor: _Optional[int] = ..., zone: _Optional[str] = ..., host_nonce: _Optional[str] = ..., kind: _Optional[str] = ..., takes_text: _Optional[bool] = ..., memory_bytes: _Optional[int] = ...) -> None: ...

class WorkerLoad(_message.Message):
    __slots__ = ("steps", "rows_used", "queued", "prefill_tokens", "decode_blocks", "cached_blocks", "cache_capacity_blocks", "arena_used_bytes", "arena_bytes", "step_ms", "output_tokens_per_s", "prefill_tokens_per_s", "state", "reason", "kv_usage", "utilisation")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    ROWS_USED_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    PREFILL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DECODE_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    CACHED_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    CACHE_CAPACITY_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    ARENA_USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    ARENA_BYTES_FIELD_NUMBER: _ClassVar[int]
    STEP_MS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_PER_S_FIELD_NUMBER: _ClassVar[int]
    PREFILL_TOKENS_PER_S_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    KV_USAGE_FIELD_NUMBER: _ClassVar[int]
    UTILISATION_FIELD_NUMBER: _ClassVar[int]
    steps: int
    rows_used: int
    queued: int
    prefill_tokens: int
    decode_blocks: int
    cached_blocks: int
    cache_capacity_blocks: int
    arena_used_bytes: int
    arena_bytes: int
    step_ms: float
    output_tokens_per_s: float
    prefill_tokens_per_s: float
    state: WorkerState
    reason: str
    kv_usage: float
    utilisation: float
    def __init__(self, steps: _Optional[int] = ..., rows_used: _Optional[int] = ..., queued: _Optional[int] = ..., prefill_tokens: _Optional[int] = ..., decode_blocks: _Optional[int] = ..., cached_blocks: _Optional[int] = ..., cache_capacity_blocks: _Optional[int] = ..., arena_used_bytes: _Optional[int] = ..., arena_bytes: _Optional[int] = ..., step_ms: _Optional[float] = ..., output_tokens_per_s: _Optional[float] = ..., prefill_tokens_per_s: _Optional[float] = ..., state: _Optional[_Union[WorkerState, str]] = ..., reason: _Optional[str] = ..., kv_usage: _Optional[float] = ..., utilisation: _Optional[float] = ...) -> None: ...

class KvEvent(_message.Message):
    __slots__ = ("seq", "stored", "removed", "cleared")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    CLEARED_FIELD_NUMBER: _ClassVar[int]
    seq: int
    stored: _containers.RepeatedScalarFieldContainer[bytes]
    removed: _containers.RepeatedScalarFieldContainer[bytes]
    cleared: bool
    def __init__(self, seq: _Optional[int] = ..., stored: _Optional[_Iterable[bytes]] = ..., removed: _Optional[_Iterable[bytes]] = ..., cleared: _Optional[bool] = ...) -> None: ...
