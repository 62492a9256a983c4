"""Every RPC of the gateway, one row each: upstream, deadline, size, quota, policy. A method without a row fails a contract test."""

from __future__ import annotations

from gateway.domain.route import MIB, Route, Stream

_RISK = "finmesh.risk.v1.RiskScoringService"
_AUDIT = "finmesh.audit.v1.AuditService"
_ROUTER = "finmesh.router.v1.RouterService"
_OTC = "finmesh.otc.v1.OtcService"
_RAG = "finmesh.rag.v1.RagService"
# Where a request says whose it is.
_TENANT = ("request", "tenant")
_TRANSACTION_TENANT = ("request", "transaction", "tenant")
_ENTRY_TENANT = ("request", "entry", "tenant")
_SCENARIO, _GRADE = ("request", "scenario"), ("request", "grade")
# An answer is admitted before any work; then it may wait in a queue and for its prompt to be read.
_GENERATION = Stream(first_s=15.0, between_s=60.0)
# It tells of every few texts that it encoded.
_TUNING = Stream(first_s=30.0, between_s=60.0)
_PART_BYTES = MIB + 4096  # a part of an upload and what names it

# fmt: off
ROUTES: tuple[Route, ...] = (
    Route("ScoreTransaction", "risk-scoring", _RISK, 2.0, "decide", scenario="anti-fraud", grade=3, tenant_path=_TRANSACTION_TENANT),
    Route("ScorePacs008", "risk-scoring", _RISK, 20.0, "decide", scenario="anti-fraud", grade=3, tenant_path=_TENANT,
          request_bytes=2 * MIB),
    Route("GetDecision", "risk-scoring", _RISK, 2.0, "read", scenario="anti-fraud", grade=3, tenant_path=_TENANT),
    Route("ChangeListEntry", "risk-scoring", _RISK, 5.0, "change", scenario="anti-fraud", grade=3, tenant_path=_ENTRY_TENANT),
    Route("BacktestRules", "risk-scoring", _RISK, 60.0, "change", scenario="anti-fraud", grade=3, tenant_path=_TENANT),
    Route("ListRecords", "audit", _AUDIT, 10.0, "read", scenario="audit", grade=2, tenant_path=_TENANT),
    Route("GetInclusionProof", "audit", _AUDIT, 5.0, "read", scenario="audit", grade=2, tenant_path=_TENANT),
    Route("GetConsistencyProof", "audit", _AUDIT, 5.0, "read", scenario="audit", grade=1, tenant_path=()),
    Route("GetCheckpoint", "audit", _AUDIT, 5.0, "read", scenario="audit", grade=1, tenant_path=()),
    Route("GetStatistics", "audit", _AUDIT, 5.0, "read", scenario="audit", grade=1, tenant_path=_TENANT),
    Route("Generate", "router", _ROUTER, 300.0, "generate", scenario="assistant", grade=5, tenant_path=_TENANT, scenario_path=_SCENARIO,
          grade_path=_GRADE, idempotent=False, stream=_GENERATION, metered=True),
    Route("ListModels", "router", _ROUTER, 5.0, "read", scenario="assistant", grade=1, tenant_path=_TENANT, scenario_path=_SCENARIO),
    Route("ParseOtcInquiry", "router", _OTC, 10.0, "generate", scenario="otc", grade=5, tenant_path=_TENANT, scenario_path=_SCENARIO,
          grade_path=_GRADE, request_bytes=64 * 1024, metered=True),
    Route("ListBackends", "router", _ROUTER, 5.0, "read", scenario="operations", grade=2, tenant_path=_TENANT),
    Route("Ask", "rag", _RAG, 300.0, "generate", scenario="knowledge", grade=5, tenant_path=_TENANT,
          scenario_path=_SCENARIO, grade_path=_GRADE, idempotent=False, stream=_GENERATION),
    Route("Search", "rag", _RAG, 15.0, "read", scenario="knowledge", grade=5, tenant_path=_TENANT,
          scenario_path=_SCENARIO, grade_path=_GRADE),
    Route("GetPassage", "rag", _RAG, 5.0, "read", scenario="knowledge", grade=3, tenant_path=_TENANT),
    Route("ListDocuments", "rag", _RAG, 10.0, "read", scenario="knowledge", grade=3, tenant_path=_TENANT),
    Route("GetDocument", "rag", _RAG, 5.0, "read", scenario="knowledge", grade=3, tenant_path=_TENANT),
    Route("ListClauses", "rag", _RAG, 30.0, "read", scenario="knowledge", grade=3, tenant_path=_TENANT),
    Route("Compare", "rag", _RAG, 30.0, "read", scenario="knowledge", grade=3, tenant_path=_TENANT),
    Route("GetConversation", "rag", _RAG, 5.0, "read", scenario="knowledge", grade=3, tenant_path=_TENANT),
    Route("ResetConversation", "rag", _RAG, 5.0, "change", scenario="knowledge", grade=2, tenant_path=_TENANT),
    Route("SendFeedback", "rag", _RAG, 5.0, "change", scenario="knowledge", grade=3, tenant_path=_TENANT, idempotent=False),
    Route("BeginUpload", "rag", _RAG, 5.0, "upload", scenario="knowledge", grade=2, tenant_path=_TENANT),
    Route("PutPart", "rag", _RAG, 15.0, "upload", scenario="knowledge", grade=3, tenant_path=_TENANT, request_bytes=_PART_BYTES),
    Route("CommitUpload", "rag", _RAG, 30.0, "upload", scenario="knowledge", grade=3, tenant_path=_TENANT),
    Route("WithdrawDocument", "rag", _RAG, 10.0, "change", scenario="knowledge", grade=2, tenant_path=_TENANT),
    Route("SetGrant", "rag", _RAG, 5.0, "change", scenario="knowledge", grade=2, tenant_path=_TENANT),
    Route("DecideQuarantine", "rag", _RAG, 10.0, "change", scenario="knowledge", grade=3, tenant_path=_TENANT),
    Route("SetHold", "rag", _RAG, 5.0, "change", scenario="knowledge", grade=2, tenant_path=_TENANT),
    Route("Purge", "rag", _RAG, 30.0, "change", scenario="knowledge", grade=2, tenant_path=_TENANT),
    Route("ListUnanswered", "rag", _RAG, 10.0, "read", scenario="knowledge", grade=3, tenant_path=_TENANT),
    Route("ListReads", "rag", _RAG, 10.0, "read", scenario="knowledge", grade=3, tenant_path=_TENANT),
    Route("GetStatus", "rag", _RAG, 5.0, "read", scenario="knowledge", grade=1, tenant_path=_TENANT),
    Route("Tune", "rag", _RAG, 300.0, "change", scenario="knowledge", grade=2, tenant_path=_TENANT, idempotent=False, stream=_TUNING),
)
# fmt: on
