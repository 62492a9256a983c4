"""The policies that ship: each role does its own and nothing else, for its purposes, up to its grade."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from gateway.routes import ROUTES
from meshkit.auth.policy import CedarPolicy, Question

POLICY = CedarPolicy(Path(str(files("gateway") / "policies")))
READS = {
    "Ask", "Search", "GetPassage", "ListDocuments", "GetDocument", "ListClauses", "Compare",
    "GetConversation", "ResetConversation", "SendFeedback",
}  # fmt: skip
CURATES = {
    "BeginUpload", "PutPart", "CommitUpload", "WithdrawDocument", "DecideQuarantine", "SetHold", "Purge",
    "ListUnanswered", "ListReads", "GetStatus",
}  # fmt: skip
OWN = {
    "transaction-scorer": {"ScoreTransaction", "ScorePacs008", "GetDecision"},
    "list-editor": {"ChangeListEntry"},
    "rule-editor": {"BacktestRules"},
    "audit-reader": {"ListRecords", "GetInclusionProof", "GetConsistencyProof", "GetCheckpoint", "GetStatistics", "ListReads"},
    "assistant-user": {"Generate", "ListModels"},
    "otc-desk": {"ParseOtcInquiry"},
    "operator": {"ListBackends", "SetGrant", "GetStatus", "Tune"},
    "knowledge-reader": READS,
    "knowledge-curator": set(),  # not for the prevention of fraud
    "管理员": set(),
}
SCENARIO = {route.method: route.scenario for route in ROUTES}
PURPOSE = {"ParseOtcInquiry": "otc-sales"}


def allows(role: str, action: str, *, scenario: str = "", purpose: str | None = None, grade: int = 1, tenant: str = "bank-a") -> bool:
    """Ask for a principal of bank-a with that role and the purpose."""
    question = Question(
        subject="某人",
        principal_tenant="bank-a",
        roles=frozenset({role}),
        purposes=frozenset({"fraud-prevention", "customer-service", "staff-assistance", "knowledge-management", "marketing", "otc-sales"}),
        workload="client",
        action=action,
        tenant=tenant,
        scenario=scenario or SCENARIO[action],
        purpose=PURPOSE.get(action, "fraud-prevention") if purpose is None else purpose,
        grade=grade,
    )
    return POLICY.allows(question)


@pytest.mark.parametrize("role", OWN)
def test_a_role_does_its_own_and_nothing_else(role: str) -> None:
    assert {route.method for route in ROUTES if allows(role, route.method)} == OWN[role]
    assert not any(allows(role, route.method, tenant="bank-b") for route in ROUTES)


@pytest.mark.parametrize(
    ("purpose", "allowed"), [("customer-service", True), ("staff-assistance", True), ("marketing", False), ("", False)]
)
def test_text_is_generated_for_some_purposes(purpose: str, allowed: bool) -> None:
    assert allows("assistant-user", "Generate", purpose=purpose, grade=3) is allowed


@pytest.mark.parametrize(("grade", "allowed"), [(1, True), (3, True), (4, False), (5, False)])
def test_secret_data_is_in_no_prompt(grade: int, allowed: bool) -> None:
    assert allows("assistant-user", "Generate", grade=grade) is allowed


@pytest.mark.parametrize("scenario", ["anti-fraud", "operations", "audit", "trading-floor"])
def test_another_scenario_is_asked_for_in_vain(scenario: str) -> None:
    assert not any(allows("assistant-user", action, scenario=scenario) for action in ("Generate", "ListModels"))
    assert not allows("operator", "ListBackends", scenario="assistant")


def test_documents_are_kept_by_curators_for_that_purpose_alone_and_read_for_more() -> None:
    managing = "knowledge-management"
    assert {route.method for route in ROUTES if allows("knowledge-curator", route.method, purpose=managing)} == CURATES
    assert {route.method for route in ROUTES if allows("knowledge-reader", route.method, purpose=managing)} == READS
    assert not any(allows("knowledge-reader", action, purpose="marketing") for action in READS)


def test_whoever_hands_documents_in_grants_no_rights_and_whoever_grants_hands_none_in() -> None:
    assert not any(allows("knowledge-curator", action, purpose="knowledge-management") for action in ("SetGrant", "Tune"))
    assert not any(allows("operator", action) for action in (CURATES | READS) - {"GetStatus"})


@pytest.mark.parametrize("action", ["Ask", "Search"])
def test_a_question_that_holds_secrets_or_is_of_another_scenario_is_not_asked(action: str) -> None:
    assert [allows("knowledge-reader", action, grade=grade) for grade in (1, 2, 3, 4, 5)] == [True, True, True, False, False]
    assert not allows("knowledge-reader", action, scenario="assistant")
