import datetime

from finmesh.common.v1 import grade_pb2 as _grade_pb2
from finmesh.rag.v1 import document_pb2 as _document_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Pipeline(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PIPELINE_UNSPECIFIED: _ClassVar[Pipeline]
    PIPELINE_FUSED: _ClassVar[Pipeline]
    PIPELINE_UNSCOPED: _ClassVar[Pipeline]
    PIPELINE_LEXICAL: _ClassVar[Pipeline]
    PIPELINE_DENSE: _ClassVar[Pipeline]

class ClauseKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLAUSE_KIND_UNSPECIFIED: _ClassVar[ClauseKind]
    CLAUSE_KIND_EXCLUSION: _ClassVar[ClauseKind]
    CLAUSE_KIND_COVERAGE: _ClassVar[ClauseKind]
    CLAUSE_KIND_DEFINITION: _ClassVar[ClauseKind]
    CLAUSE_KIND_HEADING: _ClassVar[ClauseKind]

class DifferenceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIFFERENCE_KIND_UNSPECIFIED: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_ADDED: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_REMOVED: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_CHANGED: _ClassVar[DifferenceKind]
    DIFFERENCE_KIND_MOVED: _ClassVar[DifferenceKind]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_USEFUL: _ClassVar[Verdict]
    VERDICT_WRONG: _ClassVar[Verdict]
    VERDICT_MISSING: _ClassVar[Verdict]
PIPELINE_UNSPECIFIED: Pipeline
PIPELINE_FUSED: Pipeline
PIPELINE_UNSCOPED: Pipeline
PIPELINE_LEXICAL: Pipeline
PIPELINE_DENSE: Pipeline
CLAUSE_KIND_UNSPECIFIED: ClauseKind
CLAUSE_KIND_EXCLUSION: ClauseKind
CLAUSE_KIND_COVERAGE: ClauseKind
CLAUSE_KIND_DEFINITION: ClauseKind
CLAUSE_KIND_HEADING: ClauseKind
DIFFERENCE_KIND_UNSPECIFIED: DifferenceKind
DIFFERENCE_KIND_ADDED: DifferenceKind
DIFFERENCE_KIND_REMOVED: DifferenceKind
DIFFERENCE_KIND_CHANGED: DifferenceKind
DIFFERENCE_KIND_MOVED: DifferenceKind
VERDICT_UNSPECIFIED: Verdict
VERDICT_USEFUL: Verdict
VERDICT_WRONG: Verdict
VERDICT_MISSING: Verdict

class Scope(_message.Message):
    __slots__ = ("documents", "products")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedScalarFieldContainer[str]
    products: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, documents: _Optional[_Iterable[str]] = ..., products: _Optional[_Iterable[str]] = ...) -> None: ...

class AsOf(_message.Message):
    __slots__ = ("valid_at", "known_at_sequence")
    VALID_AT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    valid_at: _timestamp_pb2.Timestamp
    known_at_sequence: int
    def __init__(self, valid_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., known_at_sequence: _Optional[int] = ...) -> None: ...

class AskRequest(_message.Message):
    __slots__ = ("tenant", "scenario", "grade", "question", "scope", "as_of", "conversation_id", "min_sequence", "earlier_questions")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EARLIER_QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    scenario: str
    grade: _grade_pb2.DataGrade
    question: str
    scope: Scope
    as_of: AsOf
    conversation_id: str
    min_sequence: int
    earlier_questions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tenant: _Optional[str] = ..., scenario: _Optional[str] = ..., grade: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., question: _Optional[str] = ..., scope: _Optional[_Union[Scope, _Mapping]] = ..., as_of: _Optional[_Union[AsOf, _Mapping]] = ..., conversation_id: _Optional[str] = ..., min_sequence: _Optional[int] = ..., earlier_questions: _Optional[_Iterable[str]] = ...) -> None: ...

class AskResponse(_message.Message):
    __slots__ = ("retrieved", "sentence", "end")
    RETRIEVED_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    retrieved: Retrieved
    sentence: Sentence
    end: AnswerEnd
    def __init__(self, retrieved: _Optional[_Union[Retrieved, _Mapping]] = ..., sentence: _Optional[_Union[Sentence, _Mapping]] = ..., end: _Optional[_Union[AnswerEnd, _Mapping]] = ...) -> None: ...

class Retrieved(_message.Message):
    __slots__ = ("passages", "scope", "sequence", "conversation_id")
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    passages: _containers.RepeatedCompositeFieldContainer[_document_pb2.Passage]
    scope: Scope
    sequence: int
    conversation_id: str
    def __init__(self, passages: _Optional[_Iterable[_Union[_document_pb2.Passage, _Mapping]]] = ..., scope: _Optional[_Union[Scope, _Mapping]] = ..., sequence: _Optional[int] = ..., conversation_id: _Optional[str] = ...) -> None: ...

class Sentence(_message.Message):
    __slots__ = ("text", "citations", "derivation")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    DERIVATION_FIELD_NUMBER: _ClassVar[int]
    text: str
    citations: _containers.RepeatedCompositeFieldContainer[Citation]
    derivation: Derivation
    def __init__(self, text: _Optional[str] = ..., citations: _Optional[_Iterable[_Union[Citation, _Mapping]]] = ..., derivation: _Optional[_Union[Derivation, _Mapping]] = ...) -> None: ...

class Citation(_message.Message):
    __slots__ = ("passage_id", "start", "end", "text_sha256", "page", "cell", "url", "superseded")
    PASSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    TEXT_SHA256_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDED_FIELD_NUMBER: _ClassVar[int]
    passage_id: str
    start: int
    end: int
    text_sha256: bytes
    page: int
    cell: str
    url: str
    superseded: bool
    def __init__(self, passage_id: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., text_sha256: _Optional[bytes] = ..., page: _Optional[int] = ..., cell: _Optional[str] = ..., url: _Optional[str] = ..., superseded: _Optional[bool] = ...) -> None: ...

class Derivation(_message.Message):
    __slots__ = ("formula", "operands", "result")
    FORMULA_FIELD_NUMBER: _ClassVar[int]
    OPERANDS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    formula: str
    operands: _containers.RepeatedScalarFieldContainer[str]
    result: str
    def __init__(self, formula: _Optional[str] = ..., operands: _Optional[_Iterable[str]] = ..., result: _Optional[str] = ...) -> None: ...

class AnswerEnd(_message.Message):
    __slots__ = ("answered", "refusal", "message", "warnings", "answerer", "audit_record_id", "prompt_tokens", "output_tokens")
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    ANSWERER_FIELD_NUMBER: _ClassVar[int]
    AUDIT_RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    answered: bool
    refusal: str
    message: str
    warnings: _containers.RepeatedCompositeFieldContainer[Warning]
    answerer: str
    audit_record_id: str
    prompt_tokens: int
    output_tokens: int
    def __init__(self, answered: _Optional[bool] = ..., refusal: _Optional[str] = ..., message: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[Warning, _Mapping]]] = ..., answerer: _Optional[str] = ..., audit_record_id: _Optional[str] = ..., prompt_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ...) -> None: ...

class Warning(_message.Message):
    __slots__ = ("reason", "message", "passage_ids")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    passage_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., passage_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("tenant", "scenario", "grade", "question", "scope", "as_of", "limit", "explain", "pipeline", "min_sequence", "collapse_records", "expand")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    MIN_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COLLAPSE_RECORDS_FIELD_NUMBER: _ClassVar[int]
    EXPAND_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    scenario: str
    grade: _grade_pb2.DataGrade
    question: str
    scope: Scope
    as_of: AsOf
    limit: int
    explain: bool
    pipeline: Pipeline
    min_sequence: int
    collapse_records: bool
    expand: int
    def __init__(self, tenant: _Optional[str] = ..., scenario: _Optional[str] = ..., grade: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., question: _Optional[str] = ..., scope: _Optional[_Union[Scope, _Mapping]] = ..., as_of: _Optional[_Union[AsOf, _Mapping]] = ..., limit: _Optional[int] = ..., explain: _Optional[bool] = ..., pipeline: _Optional[_Union[Pipeline, str]] = ..., min_sequence: _Optional[int] = ..., collapse_records: _Optional[bool] = ..., expand: _Optional[int] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("passages", "explanations", "sequence", "degradations", "resolved")
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_FIELD_NUMBER: _ClassVar[int]
    passages: _containers.RepeatedCompositeFieldContainer[_document_pb2.Passage]
    explanations: _containers.RepeatedCompositeFieldContainer[Explanation]
    sequence: int
    degradations: _containers.RepeatedScalarFieldContainer[str]
    resolved: Scope
    def __init__(self, passages: _Optional[_Iterable[_Union[_document_pb2.Passage, _Mapping]]] = ..., explanations: _Optional[_Iterable[_Union[Explanation, _Mapping]]] = ..., sequence: _Optional[int] = ..., degradations: _Optional[_Iterable[str]] = ..., resolved: _Optional[_Union[Scope, _Mapping]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("lexical_rank", "dense_rank", "scope", "expanded")
    LEXICAL_RANK_FIELD_NUMBER: _ClassVar[int]
    DENSE_RANK_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    EXPANDED_FIELD_NUMBER: _ClassVar[int]
    lexical_rank: int
    dense_rank: int
    scope: _containers.RepeatedScalarFieldContainer[str]
    expanded: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, lexical_rank: _Optional[int] = ..., dense_rank: _Optional[int] = ..., scope: _Optional[_Iterable[str]] = ..., expanded: _Optional[_Iterable[str]] = ...) -> None: ...

class GetPassageRequest(_message.Message):
    __slots__ = ("tenant", "passage_id", "neighbours")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOURS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    passage_id: str
    neighbours: int
    def __init__(self, tenant: _Optional[str] = ..., passage_id: _Optional[str] = ..., neighbours: _Optional[int] = ...) -> None: ...

class GetPassageResponse(_message.Message):
    __slots__ = ("passage", "neighbours")
    PASSAGE_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOURS_FIELD_NUMBER: _ClassVar[int]
    passage: _document_pb2.Passage
    neighbours: _containers.RepeatedCompositeFieldContainer[_document_pb2.Passage]
    def __init__(self, passage: _Optional[_Union[_document_pb2.Passage, _Mapping]] = ..., neighbours: _Optional[_Iterable[_Union[_document_pb2.Passage, _Mapping]]] = ...) -> None: ...

class ListDocumentsRequest(_message.Message):
    __slots__ = ("tenant", "page_size", "page_token")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    page_size: int
    page_token: str
    def __init__(self, tenant: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDocumentsResponse(_message.Message):
    __slots__ = ("documents", "next_page_token")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentVersion]
    next_page_token: str
    def __init__(self, documents: _Optional[_Iterable[_Union[_document_pb2.DocumentVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDocumentRequest(_message.Message):
    __slots__ = ("tenant", "document_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    document_id: str
    def __init__(self, tenant: _Optional[str] = ..., document_id: _Optional[str] = ...) -> None: ...

class GetDocumentResponse(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentVersion]
    def __init__(self, versions: _Optional[_Iterable[_Union[_document_pb2.DocumentVersion, _Mapping]]] = ...) -> None: ...

class ListClausesRequest(_message.Message):
    __slots__ = ("tenant", "document", "kind", "heading", "as_of")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    HEADING_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    document: str
    kind: ClauseKind
    heading: str
    as_of: AsOf
    def __init__(self, tenant: _Optional[str] = ..., document: _Optional[str] = ..., kind: _Optional[_Union[ClauseKind, str]] = ..., heading: _Optional[str] = ..., as_of: _Optional[_Union[AsOf, _Mapping]] = ...) -> None: ...

class ListClausesResponse(_message.Message):
    __slots__ = ("clauses", "total", "warnings")
    CLAUSES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    clauses: _containers.RepeatedCompositeFieldContainer[Clause]
    total: int
    warnings: _containers.RepeatedCompositeFieldContainer[Warning]
    def __init__(self, clauses: _Optional[_Iterable[_Union[Clause, _Mapping]]] = ..., total: _Optional[int] = ..., warnings: _Optional[_Iterable[_Union[Warning, _Mapping]]] = ...) -> None: ...

class Clause(_message.Message):
    __slots__ = ("number", "text", "citation", "endorsement_document_id", "replaced_by")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CITATION_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENT_DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REPLACED_BY_FIELD_NUMBER: _ClassVar[int]
    number: str
    text: str
    citation: Citation
    endorsement_document_id: str
    replaced_by: str
    def __init__(self, number: _Optional[str] = ..., text: _Optional[str] = ..., citation: _Optional[_Union[Citation, _Mapping]] = ..., endorsement_document_id: _Optional[str] = ..., replaced_by: _Optional[str] = ...) -> None: ...

class Side(_message.Message):
    __slots__ = ("document", "source_version")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    document: str
    source_version: int
    def __init__(self, document: _Optional[str] = ..., source_version: _Optional[int] = ...) -> None: ...

class CompareRequest(_message.Message):
    __slots__ = ("tenant", "left", "right")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    left: Side
    right: Side
    def __init__(self, tenant: _Optional[str] = ..., left: _Optional[_Union[Side, _Mapping]] = ..., right: _Optional[_Union[Side, _Mapping]] = ...) -> None: ...

class CompareResponse(_message.Message):
    __slots__ = ("differences", "equal")
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    EQUAL_FIELD_NUMBER: _ClassVar[int]
    differences: _containers.RepeatedCompositeFieldContainer[Difference]
    equal: int
    def __init__(self, differences: _Optional[_Iterable[_Union[Difference, _Mapping]]] = ..., equal: _Optional[int] = ...) -> None: ...

class Difference(_message.Message):
    __slots__ = ("kind", "left", "right", "values")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    kind: DifferenceKind
    left: Clause
    right: Clause
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kind: _Optional[_Union[DifferenceKind, str]] = ..., left: _Optional[_Union[Clause, _Mapping]] = ..., right: _Optional[_Union[Clause, _Mapping]] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class GetConversationRequest(_message.Message):
    __slots__ = ("tenant", "conversation_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    conversation_id: str
    def __init__(self, tenant: _Optional[str] = ..., conversation_id: _Optional[str] = ...) -> None: ...

class GetConversationResponse(_message.Message):
    __slots__ = ("scope", "turns")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    scope: Scope
    turns: _containers.RepeatedCompositeFieldContainer[Turn]
    def __init__(self, scope: _Optional[_Union[Scope, _Mapping]] = ..., turns: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("question", "sentences", "asked_at")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    ASKED_AT_FIELD_NUMBER: _ClassVar[int]
    question: str
    sentences: _containers.RepeatedCompositeFieldContainer[Sentence]
    asked_at: _timestamp_pb2.Timestamp
    def __init__(self, question: _Optional[str] = ..., sentences: _Optional[_Iterable[_Union[Sentence, _Mapping]]] = ..., asked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ResetConversationRequest(_message.Message):
    __slots__ = ("tenant", "conversation_id", "forget")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    FORGET_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    conversation_id: str
    forget: bool
    def __init__(self, tenant: _Optional[str] = ..., conversation_id: _Optional[str] = ..., forget: _Optional[bool] = ...) -> None: ...

class ResetConversationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SendFeedbackRequest(_message.Message):
    __slots__ = ("tenant", "audit_record_id", "verdict", "comment")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    AUDIT_RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    audit_record_id: str
    verdict: Verdict
    comment: str
    def __init__(self, tenant: _Optional[str] = ..., audit_record_id: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., comment: _Optional[str] = ...) -> None: ...

class SendFeedbackResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BeginUploadRequest(_message.Message):
    __slots__ = ("tenant", "size_bytes", "content_sha256")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SHA256_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    size_bytes: int
    content_sha256: bytes
    def __init__(self, tenant: _Optional[str] = ..., size_bytes: _Optional[int] = ..., content_sha256: _Optional[bytes] = ...) -> None: ...

class BeginUploadResponse(_message.Message):
    __slots__ = ("upload_id", "received_bytes")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    received_bytes: int
    def __init__(self, upload_id: _Optional[str] = ..., received_bytes: _Optional[int] = ...) -> None: ...

class PutPartRequest(_message.Message):
    __slots__ = ("tenant", "upload_id", "offset", "part")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    upload_id: str
    offset: int
    part: bytes
    def __init__(self, tenant: _Optional[str] = ..., upload_id: _Optional[str] = ..., offset: _Optional[int] = ..., part: _Optional[bytes] = ...) -> None: ...

class PutPartResponse(_message.Message):
    __slots__ = ("received_bytes",)
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    received_bytes: int
    def __init__(self, received_bytes: _Optional[int] = ...) -> None: ...

class CommitUploadRequest(_message.Message):
    __slots__ = ("tenant", "upload_id", "description")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    upload_id: str
    description: _document_pb2.DocumentDescription
    def __init__(self, tenant: _Optional[str] = ..., upload_id: _Optional[str] = ..., description: _Optional[_Union[_document_pb2.DocumentDescription, _Mapping]] = ...) -> None: ...

class CommitUploadResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: _document_pb2.DocumentVersion
    def __init__(self, version: _Optional[_Union[_document_pb2.DocumentVersion, _Mapping]] = ...) -> None: ...

class WithdrawDocumentRequest(_message.Message):
    __slots__ = ("tenant", "document_id", "source_version")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    document_id: str
    source_version: int
    def __init__(self, tenant: _Optional[str] = ..., document_id: _Optional[str] = ..., source_version: _Optional[int] = ...) -> None: ...

class WithdrawDocumentResponse(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class SetGrantRequest(_message.Message):
    __slots__ = ("tenant", "principal", "clearance", "groups", "barriers")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    CLEARANCE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    BARRIERS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    principal: str
    clearance: _grade_pb2.DataGrade
    groups: _containers.RepeatedScalarFieldContainer[str]
    barriers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tenant: _Optional[str] = ..., principal: _Optional[str] = ..., clearance: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., groups: _Optional[_Iterable[str]] = ..., barriers: _Optional[_Iterable[str]] = ...) -> None: ...

class SetGrantResponse(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class DecideQuarantineRequest(_message.Message):
    __slots__ = ("tenant", "document_id", "source_version", "release_at", "why")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_AT_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    document_id: str
    source_version: int
    release_at: _grade_pb2.DataGrade
    why: str
    def __init__(self, tenant: _Optional[str] = ..., document_id: _Optional[str] = ..., source_version: _Optional[int] = ..., release_at: _Optional[_Union[_grade_pb2.DataGrade, str]] = ..., why: _Optional[str] = ...) -> None: ...

class DecideQuarantineResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: _document_pb2.DocumentVersion
    def __init__(self, version: _Optional[_Union[_document_pb2.DocumentVersion, _Mapping]] = ...) -> None: ...

class SetHoldRequest(_message.Message):
    __slots__ = ("tenant", "document_id", "held", "why")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    document_id: str
    held: bool
    why: str
    def __init__(self, tenant: _Optional[str] = ..., document_id: _Optional[str] = ..., held: _Optional[bool] = ..., why: _Optional[str] = ...) -> None: ...

class SetHoldResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PurgeRequest(_message.Message):
    __slots__ = ("tenant", "document_id", "why")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    document_id: str
    why: str
    def __init__(self, tenant: _Optional[str] = ..., document_id: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class PurgeResponse(_message.Message):
    __slots__ = ("sequence", "finished")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    finished: bool
    def __init__(self, sequence: _Optional[int] = ..., finished: _Optional[bool] = ...) -> None: ...

class ListUnansweredRequest(_message.Message):
    __slots__ = ("tenant", "since", "limit")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    since: _timestamp_pb2.Timestamp
    limit: int
    def __init__(self, tenant: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limit: _Optional[int] = ...) -> None: ...

class ListUnansweredResponse(_message.Message):
    __slots__ = ("unanswered",)
    UNANSWERED_FIELD_NUMBER: _ClassVar[int]
    unanswered: _containers.RepeatedCompositeFieldContainer[Unanswered]
    def __init__(self, unanswered: _Optional[_Iterable[_Union[Unanswered, _Mapping]]] = ...) -> None: ...

class Unanswered(_message.Message):
    __slots__ = ("question", "refusal", "count", "last_asked_at")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_ASKED_AT_FIELD_NUMBER: _ClassVar[int]
    question: str
    refusal: str
    count: int
    last_asked_at: _timestamp_pb2.Timestamp
    def __init__(self, question: _Optional[str] = ..., refusal: _Optional[str] = ..., count: _Optional[int] = ..., last_asked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListReadsRequest(_message.Message):
    __slots__ = ("tenant", "document_id", "principal", "since", "limit")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    document_id: str
    principal: str
    since: _timestamp_pb2.Timestamp
    limit: int
    def __init__(self, tenant: _Optional[str] = ..., document_id: _Optional[str] = ..., principal: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limit: _Optional[int] = ...) -> None: ...

class ListReadsResponse(_message.Message):
    __slots__ = ("reads",)
    READS_FIELD_NUMBER: _ClassVar[int]
    reads: _containers.RepeatedCompositeFieldContainer[Read]
    def __init__(self, reads: _Optional[_Iterable[_Union[Read, _Mapping]]] = ...) -> None: ...

class Read(_message.Message):
    __slots__ = ("principal", "purpose", "document_id", "source_version", "passage_ids", "read_at", "audit_record_id")
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    READ_AT_FIELD_NUMBER: _ClassVar[int]
    AUDIT_RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    principal: str
    purpose: str
    document_id: str
    source_version: int
    passage_ids: _containers.RepeatedScalarFieldContainer[str]
    read_at: _timestamp_pb2.Timestamp
    audit_record_id: str
    def __init__(self, principal: _Optional[str] = ..., purpose: _Optional[str] = ..., document_id: _Optional[str] = ..., source_version: _Optional[int] = ..., passage_ids: _Optional[_Iterable[str]] = ..., read_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., audit_record_id: _Optional[str] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    def __init__(self, tenant: _Optional[str] = ...) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("sequence", "searchable_sequence", "waiting", "versions", "without_vector", "degradations", "vector_sequence")
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SEARCHABLE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_VECTOR_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    VECTOR_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    searchable_sequence: int
    waiting: int
    versions: _containers.ScalarMap[str, int]
    without_vector: int
    degradations: _containers.RepeatedScalarFieldContainer[str]
    vector_sequence: int
    def __init__(self, sequence: _Optional[int] = ..., searchable_sequence: _Optional[int] = ..., waiting: _Optional[int] = ..., versions: _Optional[_Mapping[str, int]] = ..., without_vector: _Optional[int] = ..., degradations: _Optional[_Iterable[str]] = ..., vector_sequence: _Optional[int] = ...) -> None: ...

class TuneRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    def __init__(self, tenant: _Optional[str] = ...) -> None: ...

class TuneResponse(_message.Message):
    __slots__ = ("version", "weights", "probing")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    PROBING_FIELD_NUMBER: _ClassVar[int]
    version: int
    weights: _containers.RepeatedCompositeFieldContainer[LegWeight]
    probing: Probing
    def __init__(self, version: _Optional[int] = ..., weights: _Optional[_Iterable[_Union[LegWeight, _Mapping]]] = ..., probing: _Optional[_Union[Probing, _Mapping]] = ...) -> None: ...

class Probing(_message.Message):
    __slots__ = ("done", "of")
    DONE_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    done: int
    of: int
    def __init__(self, done: _Optional[int] = ..., of: _Optional[int] = ...) -> None: ...

class LegWeight(_message.Message):
    __slots__ = ("language", "dense", "probes", "lexical_found", "dense_found", "mixed_found")
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    DENSE_FIELD_NUMBER: _ClassVar[int]
    PROBES_FIELD_NUMBER: _ClassVar[int]
    LEXICAL_FOUND_FIELD_NUMBER: _ClassVar[int]
    DENSE_FOUND_FIELD_NUMBER: _ClassVar[int]
    MIXED_FOUND_FIELD_NUMBER: _ClassVar[int]
    language: str
    dense: float
    probes: int
    lexical_found: float
    dense_found: float
    mixed_found: float
    def __init__(self, language: _Optional[str] = ..., dense: _Optional[float] = ..., probes: _Optional[int] = ..., lexical_found: _Optional[float] = ..., dense_found: _Optional[float] = ..., mixed_found: _Optional[float] = ...) -> None: ...
