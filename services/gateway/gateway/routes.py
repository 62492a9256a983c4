"""Every RPC of the gateway, one row each: upstream, deadline, size, quota, policy. A method without a row fails a contract test."""

from __future__ import annotations

from gateway.domain.route import MIB, Route, Stream

_RISK = "finmesh.risk.v1.RiskScoringService"
_AUDIT = "finmesh.audit.v1.AuditService"
_ROUTER = "finmesh.router.v1.RouterService"
_OTC = "finmesh.otc.v1.OtcService"
# Where a request says whose it is.
_TENANT = ("request", "tenant")
_TRANSACTION_TENANT = ("request", "transaction", "tenant")
_ENTRY_TENANT = ("request", "entry", "tenant")
_SCENARIO, _GRADE = ("request", "scenario"), ("request", "grade")
# An answer is admitted before any work; then it may wait in a queue and for its prompt to be read.
_GENERATION = Stream(first_s=15.0, between_s=60.0)

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
)
# fmt: on
