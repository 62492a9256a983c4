from finmesh.inference.v1 import generation_pb2 as _generation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PrefillRequest(_message.Message):
    __slots__ = ("handoff_id", "epoch", "request_id", "worker_id", "model_digest", "layout_digest", "prompt_tokens", "namespace", "grade", "tenant_digest", "sampling", "grammar", "bounds", "first_block", "priority", "decode_worker_id", "decode_incarnation")
    HANDOFF_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    TENANT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    FIRST_BLOCK_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    DECODE_WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    DECODE_INCARNATION_FIELD_NUMBER: _ClassVar[int]
    handoff_id: str
    epoch: int
    request_id: str
    worker_id: str
    model_digest: bytes
    layout_digest: bytes
    prompt_tokens: _containers.RepeatedScalarFieldContainer[int]
    namespace: bytes
    grade: int
    tenant_digest: bytes
    sampling: _generation_pb2.Sampling
    grammar: _generation_pb2.Grammar
    bounds: _generation_pb2.Bounds
    first_block: int
    priority: int
    decode_worker_id: str
    decode_incarnation: str
    def __init__(self, handoff_id: _Optional[str] = ..., epoch: _Optional[int] = ..., request_id: _Optional[str] = ..., worker_id: _Optional[str] = ..., model_digest: _Optional[bytes] = ..., layout_digest: _Optional[bytes] = ..., prompt_tokens: _Optional[_Iterable[int]] = ..., namespace: _Optional[bytes] = ..., grade: _Optional[int] = ..., tenant_digest: _Optional[bytes] = ..., sampling: _Optional[_Union[_generation_pb2.Sampling, _Mapping]] = ..., grammar: _Optional[_Union[_generation_pb2.Grammar, _Mapping]] = ..., bounds: _Optional[_Union[_generation_pb2.Bounds, _Mapping]] = ..., first_block: _Optional[int] = ..., priority: _Optional[int] = ..., decode_worker_id: _Optional[str] = ..., decode_incarnation: _Optional[str] = ...) -> None: ...

class PrefillResponse(_message.Message):
    __slots__ = ("ticket", "first_tokens", "finished", "usage", "worker_id", "incarnation", "lease_ms")
    TICKET_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKENS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    ticket: bytes
    first_tokens: _containers.RepeatedCompositeFieldContainer[_generation_pb2.Token]
    finished: _containers.RepeatedCompositeFieldContainer[_generation_pb2.ChoiceFinished]
    usage: _generation_pb2.UsageFacts
    worker_id: str
    incarnation: str
    lease_ms: int
    def __init__(self, ticket: _Optional[bytes] = ..., first_tokens: _Optional[_Iterable[_Union[_generation_pb2.Token, _Mapping]]] = ..., finished: _Optional[_Iterable[_Union[_generation_pb2.ChoiceFinished, _Mapping]]] = ..., usage: _Optional[_Union[_generation_pb2.UsageFacts, _Mapping]] = ..., worker_id: _Optional[str] = ..., incarnation: _Optional[str] = ..., lease_ms: _Optional[int] = ...) -> None: ...

class AbortHandoffRequest(_message.Message):
    __slots__ = ("handoff_id", "epoch")
    HANDOFF_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    handoff_id: str
    epoch: int
    def __init__(self, handoff_id: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class AbortHandoffResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
