"""Every RPC of the gateway, one row each: upstream, deadline, size, quota, policy. A method without a row fails a contract test."""

from __future__ import annotations

from gateway.domain.route import MIB, Route

_RISK = "finmesh.risk.v1.RiskScoringService"
_AUDIT = "finmesh.audit.v1.AuditService"

# fmt: off
ROUTES: tuple[Route, ...] = (
    Route("ScoreTransaction", "risk-scoring", _RISK, 2.0, "decide", "anti-fraud", 3, ("request", "transaction", "tenant")),
    Route("ScorePacs008", "risk-scoring", _RISK, 20.0, "decide", "anti-fraud", 3, ("request", "tenant"), request_bytes=2 * MIB),
    Route("GetDecision", "risk-scoring", _RISK, 2.0, "read", "anti-fraud", 3, ("request", "tenant")),
    Route("ChangeListEntry", "risk-scoring", _RISK, 5.0, "change", "anti-fraud", 3, ("request", "entry", "tenant")),
    Route("BacktestRules", "risk-scoring", _RISK, 60.0, "change", "anti-fraud", 3, ("request", "tenant")),
    Route("ListRecords", "audit", _AUDIT, 10.0, "read", "audit", 2, ("request", "tenant")),
    Route("GetInclusionProof", "audit", _AUDIT, 5.0, "read", "audit", 2, ("request", "tenant")),
    Route("GetConsistencyProof", "audit", _AUDIT, 5.0, "read", "audit", 1, ()),
    Route("GetCheckpoint", "audit", _AUDIT, 5.0, "read", "audit", 1, ()),
    Route("GetStatistics", "audit", _AUDIT, 5.0, "read", "audit", 1, ("request", "tenant")),
)
# fmt: on
