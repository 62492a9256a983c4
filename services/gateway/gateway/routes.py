"""Every RPC of the gateway, one row each: upstream, deadline, size, quota, policy. A method without a row fails a contract test."""

from __future__ import annotations

from gateway.domain.route import MIB, Route

_RISK = "finmesh.risk.v1.RiskScoringService"
_AUDIT = "finmesh.audit.v1.AuditService"
# Where a request says whose it is.
_TENANT = ("request", "tenant")
_TRANSACTION_TENANT = ("request", "transaction", "tenant")
_ENTRY_TENANT = ("request", "entry", "tenant")

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
)
# fmt: on
