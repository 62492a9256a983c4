from finmesh.inference.v1 import decode_service_pb2 as _decode_service_pb2
from finmesh.inference.v1 import generation_pb2 as _generation_pb2
from finmesh.inference.v1 import prefill_service_pb2 as _prefill_service_pb2
from finmesh.inference.v1 import worker_pb2 as _worker_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Refusal(_message.Message):
    __slots__ = ("reason", "message", "retry_after_ms")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    retry_after_ms: int
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("description",)
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    description: _worker_pb2.WorkerDescription
    def __init__(self, description: _Optional[_Union[_worker_pb2.WorkerDescription, _Mapping]] = ...) -> None: ...

class ReserveOperation(_message.Message):
    __slots__ = ("request", "reservation_id", "owner")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    request: _decode_service_pb2.ReserveRequest
    reservation_id: str
    owner: str
    def __init__(self, request: _Optional[_Union[_decode_service_pb2.ReserveRequest, _Mapping]] = ..., reservation_id: _Optional[str] = ..., owner: _Optional[str] = ...) -> None: ...

class ReserveResult(_message.Message):
    __slots__ = ("first_block",)
    FIRST_BLOCK_FIELD_NUMBER: _ClassVar[int]
    first_block: int
    def __init__(self, first_block: _Optional[int] = ...) -> None: ...

class ReservationOperation(_message.Message):
    __slots__ = ("reservation_id", "ttl_ms")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    ttl_ms: int
    def __init__(self, reservation_id: _Optional[str] = ..., ttl_ms: _Optional[int] = ...) -> None: ...

class PrefillOperation(_message.Message):
    __slots__ = ("request", "owner", "timeout_ms", "work_id")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    WORK_ID_FIELD_NUMBER: _ClassVar[int]
    request: _prefill_service_pb2.PrefillRequest
    owner: str
    timeout_ms: int
    work_id: str
    def __init__(self, request: _Optional[_Union[_prefill_service_pb2.PrefillRequest, _Mapping]] = ..., owner: _Optional[str] = ..., timeout_ms: _Optional[int] = ..., work_id: _Optional[str] = ...) -> None: ...

class DecodeOperation(_message.Message):
    __slots__ = ("request", "owner", "timeout_ms", "work_id")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    WORK_ID_FIELD_NUMBER: _ClassVar[int]
    request: _decode_service_pb2.DecodeRequest
    owner: str
    timeout_ms: int
    work_id: str
    def __init__(self, request: _Optional[_Union[_decode_service_pb2.DecodeRequest, _Mapping]] = ..., owner: _Optional[str] = ..., timeout_ms: _Optional[int] = ..., work_id: _Optional[str] = ...) -> None: ...

class AbortOperation(_message.Message):
    __slots__ = ("work_id", "handoff_id", "epoch", "owner", "reason")
    WORK_ID_FIELD_NUMBER: _ClassVar[int]
    HANDOFF_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    work_id: str
    handoff_id: str
    epoch: int
    owner: str
    reason: str
    def __init__(self, work_id: _Optional[str] = ..., handoff_id: _Optional[str] = ..., epoch: _Optional[int] = ..., owner: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class OwnerOperation(_message.Message):
    __slots__ = ("owner",)
    OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: str
    def __init__(self, owner: _Optional[str] = ...) -> None: ...

class BlocksOperation(_message.Message):
    __slots__ = ("after_seq",)
    AFTER_SEQ_FIELD_NUMBER: _ClassVar[int]
    after_seq: int
    def __init__(self, after_seq: _Optional[int] = ...) -> None: ...

class BlocksResult(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_worker_pb2.KvEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[_worker_pb2.KvEvent, _Mapping]]] = ...) -> None: ...

class HeldResult(_message.Message):
    __slots__ = ("held",)
    HELD_FIELD_NUMBER: _ClassVar[int]
    held: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, held: _Optional[_Iterable[str]] = ...) -> None: ...

class StepTokens(_message.Message):
    __slots__ = ("work", "choice", "index", "token_id", "logprob", "top")
    WORK_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    work: _containers.RepeatedScalarFieldContainer[int]
    choice: _containers.RepeatedScalarFieldContainer[int]
    index: _containers.RepeatedScalarFieldContainer[int]
    token_id: _containers.RepeatedScalarFieldContainer[int]
    logprob: _containers.RepeatedScalarFieldContainer[float]
    top: _containers.RepeatedCompositeFieldContainer[TopTokens]
    def __init__(self, work: _Optional[_Iterable[int]] = ..., choice: _Optional[_Iterable[int]] = ..., index: _Optional[_Iterable[int]] = ..., token_id: _Optional[_Iterable[int]] = ..., logprob: _Optional[_Iterable[float]] = ..., top: _Optional[_Iterable[_Union[TopTokens, _Mapping]]] = ...) -> None: ...

class TopTokens(_message.Message):
    __slots__ = ("position", "tokens")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    position: int
    tokens: _containers.RepeatedCompositeFieldContainer[_generation_pb2.TokenLogprob]
    def __init__(self, position: _Optional[int] = ..., tokens: _Optional[_Iterable[_Union[_generation_pb2.TokenLogprob, _Mapping]]] = ...) -> None: ...

class Phase(_message.Message):
    __slots__ = ("name", "start_ns", "end_ns")
    NAME_FIELD_NUMBER: _ClassVar[int]
    START_NS_FIELD_NUMBER: _ClassVar[int]
    END_NS_FIELD_NUMBER: _ClassVar[int]
    name: str
    start_ns: int
    end_ns: int
    def __init__(self, name: _Optional[str] = ..., start_ns: _Optional[int] = ..., end_ns: _Optional[int] = ...) -> None: ...

class Prefilled(_message.Message):
    __slots__ = ("work_id", "response", "phases")
    WORK_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    work_id: str
    response: _prefill_service_pb2.PrefillResponse
    phases: _containers.RepeatedCompositeFieldContainer[Phase]
    def __init__(self, work_id: _Optional[str] = ..., response: _Optional[_Union[_prefill_service_pb2.PrefillResponse, _Mapping]] = ..., phases: _Optional[_Iterable[_Union[Phase, _Mapping]]] = ...) -> None: ...

class RowCommitted(_message.Message):
    __slots__ = ("work_id", "committed", "phases")
    WORK_ID_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    work_id: str
    committed: _decode_service_pb2.Committed
    phases: _containers.RepeatedCompositeFieldContainer[Phase]
    def __init__(self, work_id: _Optional[str] = ..., committed: _Optional[_Union[_decode_service_pb2.Committed, _Mapping]] = ..., phases: _Optional[_Iterable[_Union[Phase, _Mapping]]] = ...) -> None: ...

class RowFinished(_message.Message):
    __slots__ = ("work_id", "finished")
    WORK_ID_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    work_id: str
    finished: _generation_pb2.ChoiceFinished
    def __init__(self, work_id: _Optional[str] = ..., finished: _Optional[_Union[_generation_pb2.ChoiceFinished, _Mapping]] = ...) -> None: ...

class RequestEnded(_message.Message):
    __slots__ = ("work_id", "usage", "refusal")
    WORK_ID_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    work_id: str
    usage: _generation_pb2.UsageFacts
    refusal: Refusal
    def __init__(self, work_id: _Optional[str] = ..., usage: _Optional[_Union[_generation_pb2.UsageFacts, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class Events(_message.Message):
    __slots__ = ("incarnation", "step", "work_ids", "tokens", "prefilled", "committed", "finished", "ended", "kv")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    WORK_IDS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    PREFILLED_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    KV_FIELD_NUMBER: _ClassVar[int]
    incarnation: str
    step: int
    work_ids: _containers.RepeatedScalarFieldContainer[str]
    tokens: StepTokens
    prefilled: _containers.RepeatedCompositeFieldContainer[Prefilled]
    committed: _containers.RepeatedCompositeFieldContainer[RowCommitted]
    finished: _containers.RepeatedCompositeFieldContainer[RowFinished]
    ended: _containers.RepeatedCompositeFieldContainer[RequestEnded]
    kv: _containers.RepeatedCompositeFieldContainer[_worker_pb2.KvEvent]
    def __init__(self, incarnation: _Optional[str] = ..., step: _Optional[int] = ..., work_ids: _Optional[_Iterable[str]] = ..., tokens: _Optional[_Union[StepTokens, _Mapping]] = ..., prefilled: _Optional[_Iterable[_Union[Prefilled, _Mapping]]] = ..., committed: _Optional[_Iterable[_Union[RowCommitted, _Mapping]]] = ..., finished: _Optional[_Iterable[_Union[RowFinished, _Mapping]]] = ..., ended: _Optional[_Iterable[_Union[RequestEnded, _Mapping]]] = ..., kv: _Optional[_Iterable[_Union[_worker_pb2.KvEvent, _Mapping]]] = ...) -> None: ...
