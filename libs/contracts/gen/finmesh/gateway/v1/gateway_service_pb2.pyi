from finmesh.audit.v1 import audit_service_pb2 as _audit_service_pb2
from finmesh.otc.v1 import otc_service_pb2 as _otc_service_pb2
from finmesh.rag.v1 import rag_service_pb2 as _rag_service_pb2
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

class AskRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.AskRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.AskRequest, _Mapping]] = ...) -> None: ...

class AskResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.AskResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.AskResponse, _Mapping]] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.SearchRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.SearchRequest, _Mapping]] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.SearchResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.SearchResponse, _Mapping]] = ...) -> None: ...

class GetPassageRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.GetPassageRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.GetPassageRequest, _Mapping]] = ...) -> None: ...

class GetPassageResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.GetPassageResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.GetPassageResponse, _Mapping]] = ...) -> None: ...

class ListDocumentsRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.ListDocumentsRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.ListDocumentsRequest, _Mapping]] = ...) -> None: ...

class ListDocumentsResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.ListDocumentsResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.ListDocumentsResponse, _Mapping]] = ...) -> None: ...

class GetDocumentRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.GetDocumentRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.GetDocumentRequest, _Mapping]] = ...) -> None: ...

class GetDocumentResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.GetDocumentResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.GetDocumentResponse, _Mapping]] = ...) -> None: ...

class ListClausesRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.ListClausesRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.ListClausesRequest, _Mapping]] = ...) -> None: ...

class ListClausesResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.ListClausesResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.ListClausesResponse, _Mapping]] = ...) -> None: ...

class CompareRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.CompareRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.CompareRequest, _Mapping]] = ...) -> None: ...

class CompareResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.CompareResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.CompareResponse, _Mapping]] = ...) -> None: ...

class GetConversationRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.GetConversationRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.GetConversationRequest, _Mapping]] = ...) -> None: ...

class GetConversationResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.GetConversationResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.GetConversationResponse, _Mapping]] = ...) -> None: ...

class ResetConversationRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.ResetConversationRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.ResetConversationRequest, _Mapping]] = ...) -> None: ...

class ResetConversationResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.ResetConversationResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.ResetConversationResponse, _Mapping]] = ...) -> None: ...

class SendFeedbackRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.SendFeedbackRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.SendFeedbackRequest, _Mapping]] = ...) -> None: ...

class SendFeedbackResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.SendFeedbackResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.SendFeedbackResponse, _Mapping]] = ...) -> None: ...

class BeginUploadRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.BeginUploadRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.BeginUploadRequest, _Mapping]] = ...) -> None: ...

class BeginUploadResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.BeginUploadResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.BeginUploadResponse, _Mapping]] = ...) -> None: ...

class PutPartRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.PutPartRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.PutPartRequest, _Mapping]] = ...) -> None: ...

class PutPartResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.PutPartResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.PutPartResponse, _Mapping]] = ...) -> None: ...

class CommitUploadRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.CommitUploadRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.CommitUploadRequest, _Mapping]] = ...) -> None: ...

class CommitUploadResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.CommitUploadResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.CommitUploadResponse, _Mapping]] = ...) -> None: ...

class WithdrawDocumentRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.WithdrawDocumentRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.WithdrawDocumentRequest, _Mapping]] = ...) -> None: ...

class WithdrawDocumentResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.WithdrawDocumentResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.WithdrawDocumentResponse, _Mapping]] = ...) -> None: ...

class SetGrantRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.SetGrantRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.SetGrantRequest, _Mapping]] = ...) -> None: ...

class SetGrantResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.SetGrantResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.SetGrantResponse, _Mapping]] = ...) -> None: ...

class DecideQuarantineRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.DecideQuarantineRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.DecideQuarantineRequest, _Mapping]] = ...) -> None: ...

class DecideQuarantineResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.DecideQuarantineResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.DecideQuarantineResponse, _Mapping]] = ...) -> None: ...

class SetHoldRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.SetHoldRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.SetHoldRequest, _Mapping]] = ...) -> None: ...

class SetHoldResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.SetHoldResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.SetHoldResponse, _Mapping]] = ...) -> None: ...

class PurgeRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.PurgeRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.PurgeRequest, _Mapping]] = ...) -> None: ...

class PurgeResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.PurgeResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.PurgeResponse, _Mapping]] = ...) -> None: ...

class ListUnansweredRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.ListUnansweredRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.ListUnansweredRequest, _Mapping]] = ...) -> None: ...

class ListUnansweredResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.ListUnansweredResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.ListUnansweredResponse, _Mapping]] = ...) -> None: ...

class ListReadsRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.ListReadsRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.ListReadsRequest, _Mapping]] = ...) -> None: ...

class ListReadsResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.ListReadsResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.ListReadsResponse, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.GetStatusRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.GetStatusRequest, _Mapping]] = ...) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.GetStatusResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.GetStatusResponse, _Mapping]] = ...) -> None: ...

class TuneRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _rag_service_pb2.TuneRequest
    def __init__(self, request: _Optional[_Union[_rag_service_pb2.TuneRequest, _Mapping]] = ...) -> None: ...

class TuneResponse(_message.Message):
    __slots__ = ("response",)
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    response: _rag_service_pb2.TuneResponse
    def __init__(self, response: _Optional[_Union[_rag_service_pb2.TuneResponse, _Mapping]] = ...) -> None: ...
