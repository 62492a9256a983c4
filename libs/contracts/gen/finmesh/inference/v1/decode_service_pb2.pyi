from finmesh.inference.v1 import generation_pb2 as _generation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReserveRequest(_message.Message):
    __slots__ = ("request_id", "worker_id", "model_digest", "block_ids", "prompt_tokens", "max_output_tokens", "choices", "ttl_ms")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    BLOCK_IDS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    worker_id: str
    model_digest: bytes
    block_ids: _containers.RepeatedScalarFieldContainer[bytes]
    prompt_tokens: int
    max_output_tokens: int
    choices: int
    ttl_ms: int
    def __init__(self, request_id: _Optional[str] = ..., worker_id: _Optional[str] = ..., model_digest: _Optional[bytes] = ..., block_ids: _Optional[_Iterable[bytes]] = ..., prompt_tokens: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., choices: _Optional[int] = ..., ttl_ms: _Optional[int] = ...) -> None: ...

class ReserveResponse(_message.Message):
    __slots__ = ("reservation_id", "worker_id", "incarnation", "first_block")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    FIRST_BLOCK_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    worker_id: str
    incarnation: str
    first_block: int
    def __init__(self, reservation_id: _Optional[str] = ..., worker_id: _Optional[str] = ..., incarnation: _Optional[str] = ..., first_block: _Optional[int] = ...) -> None: ...

class RenewReservationRequest(_message.Message):
    __slots__ = ("reservation_id", "ttl_ms")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    ttl_ms: int
    def __init__(self, reservation_id: _Optional[str] = ..., ttl_ms: _Optional[int] = ...) -> None: ...

class RenewReservationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReleaseReservationRequest(_message.Message):
    __slots__ = ("reservation_id",)
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    def __init__(self, reservation_id: _Optional[str] = ...) -> None: ...

class ReleaseReservationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Emitted(_message.Message):
    __slots__ = ("choice", "token_ids", "text", "text_tokens")
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    choice: int
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    text: bytes
    text_tokens: int
    def __init__(self, choice: _Optional[int] = ..., token_ids: _Optional[_Iterable[int]] = ..., text: _Optional[bytes] = ..., text_tokens: _Optional[int] = ...) -> None: ...

class DecodeRequest(_message.Message):
    __slots__ = ("request_id", "reservation_id", "ticket", "prompt_tokens", "model_digest", "namespace", "tenant_digest", "grade", "sampling", "grammar", "bounds", "emitted", "ended_choices", "priority", "prompt_text")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    TENANT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    EMITTED_FIELD_NUMBER: _ClassVar[int]
    ENDED_CHOICES_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TEXT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    reservation_id: str
    ticket: bytes
    prompt_tokens: _containers.RepeatedScalarFieldContainer[int]
    model_digest: bytes
    namespace: bytes
    tenant_digest: bytes
    grade: int
    sampling: _generation_pb2.Sampling
    grammar: _generation_pb2.Grammar
    bounds: _generation_pb2.Bounds
    emitted: _containers.RepeatedCompositeFieldContainer[Emitted]
    ended_choices: _containers.RepeatedScalarFieldContainer[int]
    priority: int
    prompt_text: str
    def __init__(self, request_id: _Optional[str] = ..., reservation_id: _Optional[str] = ..., ticket: _Optional[bytes] = ..., prompt_tokens: _Optional[_Iterable[int]] = ..., model_digest: _Optional[bytes] = ..., namespace: _Optional[bytes] = ..., tenant_digest: _Optional[bytes] = ..., grade: _Optional[int] = ..., sampling: _Optional[_Union[_generation_pb2.Sampling, _Mapping]] = ..., grammar: _Optional[_Union[_generation_pb2.Grammar, _Mapping]] = ..., bounds: _Optional[_Union[_generation_pb2.Bounds, _Mapping]] = ..., emitted: _Optional[_Iterable[_Union[Emitted, _Mapping]]] = ..., ended_choices: _Optional[_Iterable[int]] = ..., priority: _Optional[int] = ..., prompt_text: _Optional[str] = ...) -> None: ...

class Committed(_message.Message):
    __slots__ = ("worker_id", "incarnation", "pulled_bytes", "pull_ms", "transport", "pulls")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    PULLED_BYTES_FIELD_NUMBER: _ClassVar[int]
    PULL_MS_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    PULLS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    incarnation: str
    pulled_bytes: int
    pull_ms: float
    transport: str
    pulls: int
    def __init__(self, worker_id: _Optional[str] = ..., incarnation: _Optional[str] = ..., pulled_bytes: _Optional[int] = ..., pull_ms: _Optional[float] = ..., transport: _Optional[str] = ..., pulls: _Optional[int] = ...) -> None: ...

class Tokens(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[_generation_pb2.Token]
    def __init__(self, tokens: _Optional[_Iterable[_Union[_generation_pb2.Token, _Mapping]]] = ...) -> None: ...

class DecodeEnded(_message.Message):
    __slots__ = ("usage",)
    USAGE_FIELD_NUMBER: _ClassVar[int]
    usage: _generation_pb2.UsageFacts
    def __init__(self, usage: _Optional[_Union[_generation_pb2.UsageFacts, _Mapping]] = ...) -> None: ...

class DecodeResponse(_message.Message):
    __slots__ = ("committed", "tokens", "finished", "ended")
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    committed: Committed
    tokens: Tokens
    finished: _generation_pb2.ChoiceFinished
    ended: DecodeEnded
    def __init__(self, committed: _Optional[_Union[Committed, _Mapping]] = ..., tokens: _Optional[_Union[Tokens, _Mapping]] = ..., finished: _Optional[_Union[_generation_pb2.ChoiceFinished, _Mapping]] = ..., ended: _Optional[_Union[DecodeEnded, _Mapping]] = ...) -> None: ...
