from finmesh.audit.v1 import audit_service_pb2 as _audit_service_pb2
from finmesh.otc.v1 import otc_service_pb2 as _otc_service_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as _risk_scoring_service_pb2
from finmesh.router.v1 import router_service_pb2 as _router_service_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScoreTransactionRequest(_message.Message):
    __slots__ = ("request", "idempotency_key")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    request: _risk_scoring_service_pb2.ScoreTransactionRequest
    idempotency_key: str
    def __init__(self, request: _Optional[_Union[_risk_scoring_service_pb2.ScoreTransactionRequest, _Mapping]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class ScoreTransactionResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _risk_scoring_service_pb2.ScoreTransactionResponse
    def __init__(self, response: _Optional[_Union[_risk_scoring_service_pb2.ScoreTransactionResponse, _Mapping]] = ...) -> None: ...

class ScorePacs008Request(_message.Message):
    __slots__ = ("request", "idempotency_key")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    request: _risk_scoring_service_pb2.ScorePacs008Request
    idempotency_key: str
    def __init__(self, request: _Optional[_Union[_risk_scoring_service_pb2.ScorePacs008Request, _Mapping]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class ScorePacs008Response(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _risk_scoring_service_pb2.ScorePacs008Response
    def __init__(self, response: _Optional[_Union[_risk_scoring_service_pb2.ScorePacs008Response, _Mapping]] = ...) -> None: ...

class GetDecisionRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _risk_scoring_service_pb2.GetDecisionRequest
    def __init__(self, request: _Optional[_Union[_risk_scoring_service_pb2.GetDecisionRequest, _Mapping]] = ...) -> None: ...

class GetDecisionResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _risk_scoring_service_pb2.GetDecisionResponse
    def __init__(self, response: _Optional[_Union[_risk_scoring_service_pb2.GetDecisionResponse, _Mapping]] = ...) -> None: ...

class ChangeListEntryRequest(_message.Message):
    __slots__ = ("request", "idempotency_key")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    request: _risk_scoring_service_pb2.ChangeListEntryRequest
    idempotency_key: str
    def __init__(self, request: _Optional[_Union[_risk_scoring_service_pb2.ChangeListEntryRequest, _Mapping]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class ChangeListEntryResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _risk_scoring_service_pb2.ChangeListEntryResponse
    def __init__(self, response: _Optional[_Union[_risk_scoring_service_pb2.ChangeListEntryResponse, _Mapping]] = ...) -> None: ...

class BacktestRulesRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _risk_scoring_service_pb2.BacktestRulesRequest
    def __init__(self, request: _Optional[_Union[_risk_scoring_service_pb2.BacktestRulesRequest, _Mapping]] = ...) -> None: ...

class BacktestRulesResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _risk_scoring_service_pb2.BacktestRulesResponse
    def __init__(self, response: _Optional[_Union[_risk_scoring_service_pb2.BacktestRulesResponse, _Mapping]] = ...) -> None: ...

class ListRecordsRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _audit_service_pb2.ListRecordsRequest
    def __init__(self, request: _Optional[_Union[_audit_service_pb2.ListRecordsRequest, _Mapping]] = ...) -> None: ...

class ListRecordsResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _audit_service_pb2.ListRecordsResponse
    def __init__(self, response: _Optional[_Union[_audit_service_pb2.ListRecordsResponse, _Mapping]] = ...) -> None: ...

class GetInclusionProofRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _audit_service_pb2.GetInclusionProofRequest
    def __init__(self, request: _Optional[_Union[_audit_service_pb2.GetInclusionProofRequest, _Mapping]] = ...) -> None: ...

class GetInclusionProofResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _audit_service_pb2.GetInclusionProofResponse
    def __init__(self, response: _Optional[_Union[_audit_service_pb2.GetInclusionProofResponse, _Mapping]] = ...) -> None: ...

class GetConsistencyProofRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _audit_service_pb2.GetConsistencyProofRequest
    def __init__(self, request: _Optional[_Union[_audit_service_pb2.GetConsistencyProofRequest, _Mapping]] = ...) -> None: ...

class GetConsistencyProofResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _audit_service_pb2.GetConsistencyProofResponse
    def __init__(self, response: _Optional[_Union[_audit_service_pb2.GetConsistencyProofResponse, _Mapping]] = ...) -> None: ...

class GetCheckpointRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _audit_service_pb2.GetCheckpointRequest
    def __init__(self, request: _Optional[_Union[_audit_service_pb2.GetCheckpointRequest, _Mapping]] = ...) -> None: ...

class GetCheckpointResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _audit_service_pb2.GetCheckpointResponse
    def __init__(self, response: _Optional[_Union[_audit_service_pb2.GetCheckpointResponse, _Mapping]] = ...) -> None: ...

class GetStatisticsRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _audit_service_pb2.GetStatisticsRequest
    def __init__(self, request: _Optional[_Union[_audit_service_pb2.GetStatisticsRequest, _Mapping]] = ...) -> None: ...

class GetStatisticsResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _audit_service_pb2.GetStatisticsResponse
    def __init__(self, response: _Optional[_Union[_audit_service_pb2.GetStatisticsResponse, _Mapping]] = ...) -> None: ...

class GenerateRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _router_service_pb2.GenerateRequest
    def __init__(self, request: _Optional[_Union[_router_service_pb2.GenerateRequest, _Mapping]] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _router_service_pb2.GenerateResponse
    def __init__(self, response: _Optional[_Union[_router_service_pb2.GenerateResponse, _Mapping]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _router_service_pb2.ListModelsRequest
    def __init__(self, request: _Optional[_Union[_router_service_pb2.ListModelsRequest, _Mapping]] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _router_service_pb2.ListModelsResponse
    def __init__(self, response: _Optional[_Union[_router_service_pb2.ListModelsResponse, _Mapping]] = ...) -> None: ...

class ListBackendsRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _router_service_pb2.ListBackendsRequest
    def __init__(self, request: _Optional[_Union[_router_service_pb2.ListBackendsRequest, _Mapping]] = ...) -> None: ...

class ListBackendsResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _router_service_pb2.ListBackendsResponse
    def __init__(self, response: _Optional[_Union[_router_service_pb2.ListBackendsResponse, _Mapping]] = ...) -> None: ...

class ParseOtcInquiryRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _otc_service_pb2.ParseOtcInquiryRequest
    def __init__(self, request: _Optional[_Union[_otc_service_pb2.ParseOtcInquiryRequest, _Mapping]] = ...) -> None: ...

class ParseOtcInquiryResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _otc_service_pb2.ParseOtcInquiryResponse
    def __init__(self, response: _Optional[_Union[_otc_service_pb2.ParseOtcInquiryResponse, _Mapping]] = ...) -> None: ...
