"""The RPCs: translate, call, translate."""

from __future__ import annotations

from collections.abc import Callable

from finmesh.risk.v1 import risk_scoring_service_pb2 as pb
from finmesh.risk.v1 import risk_scoring_service_pb2_grpc
from meshkit.clock import Clock
from meshkit.crypto.keyed_ids import uuid_bytes
from meshkit.errors import InvalidArgument, MeshError, PermissionDenied
from meshkit.rpc import deadline
from meshkit.rpc.chain import current_call
from meshkit.rpc.metadata import CallerFacts, caller_facts
from meshkit.telemetry import names, spans
from meshkit.telemetry.context import current
from meshkit.tenants import checked_tenant

from risk_scoring import translate
from risk_scoring.domain.decision import Asker, Request
from risk_scoring.domain.horizon import check_age, time_us
from risk_scoring.domain.identity import checked_identity, decision_key
from risk_scoring.domain.pacs008 import CreditTransfer
from risk_scoring.domain.transaction import Transaction
from risk_scoring.steps.identify import DECISION_KIND, Identifier
from risk_scoring.translate.list_changes import list_change
from risk_scoring.translate.rule_backtests import rule_backtest_response
from risk_scoring.usecases.backtest_rules import INVALID_RULE_TEST, BacktestRules
from risk_scoring.usecases.change_list_entry import ChangeListEntry
from risk_scoring.usecases.get_decision import GetDecision
from risk_scoring.usecases.score_pacs008 import ScorePacs008
from risk_scoring.usecases.score_transaction import ScoreTransaction

_DEFAULT_REMAINING_S = 1.0


class RiskScoringServicer(risk_scoring_service_pb2_grpc.RiskScoringServiceServicer):
    """finmesh.risk.v1.RiskScoringService."""

    def __init__(
        self,
        score: ScoreTransaction,
        score_pacs008: ScorePacs008,
        get_decision: GetDecision,
        change_list_entry: ChangeListEntry,
        backtest_rules: BacktestRules,
        parse_pacs008: Callable[[str, bytes], list[CreditTransfer]],
        identifier: Identifier,
        clock: Clock,
        dedupe_horizon_s: int,
    ) -> None:
        self._score = score
        self._score_pacs008 = score_pacs008
        self._get_decision = get_decision
        self._change_list_entry = change_list_entry
        self._backtest_rules = backtest_rules
        self._parse_pacs008 = parse_pacs008
        self._identifier = identifier
        self._clock = clock
        self._horizon_s = dedupe_horizon_s

    async def ScoreTransaction(self, request: pb.ScoreTransactionRequest, context: object) -> pb.ScoreTransactionResponse:  # noqa: N802
        """Decide one transaction."""
        facts = caller_facts(current_call())
        transaction = translate.transaction(request.transaction)
        verdict = await self._score(self._request(transaction, facts), self._remaining_s())
        response = translate.score_response(verdict.decision, replayed=verdict.replayed)
        call = current_call()
        call.facts[names.DECISION_ID] = response.decision_id
        call.facts[names.OUTCOME] = int(response.outcome)
        return response

    async def ScorePacs008(self, request: pb.ScorePacs008Request, context: object) -> pb.ScorePacs008Response:  # noqa: N802
        """Decide every transfer of a document."""
        facts = caller_facts(current_call())
        _check_tenant(facts, request.tenant)
        transfers = self._parse_pacs008(request.tenant, request.document)
        outcomes = await self._score_pacs008(transfers, lambda t: self._request(t.transaction(), facts), self._remaining_s())
        results = []
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, MeshError):
                results.append(pb.Pacs008Result(index=index, error_reason=outcome.reason))
            else:
                results.append(
                    pb.Pacs008Result(index=index, decision=translate.score_response(outcome.decision, replayed=outcome.replayed))
                )
        return pb.ScorePacs008Response(results=results)

    async def GetDecision(self, request: pb.GetDecisionRequest, context: object) -> pb.GetDecisionResponse:  # noqa: N802
        """Return a stored decision."""
        _check_tenant(caller_facts(current_call()), request.tenant)
        decision = await self._get_decision(self._decision_id(request), self._remaining_s())
        if translate.decision_record(decision).tenant != request.tenant:
            decision = await self._get_decision(b"\x00" * 16, self._remaining_s())  # absent and forbidden look the same
        return pb.GetDecisionResponse(decision_record=decision)

    async def ChangeListEntry(self, request: pb.ChangeListEntryRequest, context: object) -> pb.ChangeListEntryResponse:  # noqa: N802
        """Set or remove a list entry."""
        facts = caller_facts(current_call())
        _check_tenant(facts, request.entry.tenant)
        await self._change_list_entry(list_change(request.entry), request.entry.SerializeToString(), _asker(facts))
        return pb.ChangeListEntryResponse()

    async def BacktestRules(self, request: pb.BacktestRulesRequest, context: object) -> pb.BacktestRulesResponse:  # noqa: N802
        """Run a rule set over recorded decisions."""
        _check_tenant(caller_facts(current_call()), request.tenant)
        since_s = time_us(request.since, "since", INVALID_RULE_TEST) / 1e6
        test = await self._backtest_rules(request.tenant, request.rule_set, since_s, request.max_decisions, self._remaining_s())
        return rule_backtest_response(test)

    def _request(self, transaction: Transaction, facts: CallerFacts) -> Request:
        _check_tenant(facts, transaction.tenant)
        check_age(transaction.event_time_us, self._clock.now_s(), self._horizon_s)
        return Request(transaction, self._identifier.observation(transaction), current() or spans.root(), _asker(facts))

    def _decision_id(self, request: pb.GetDecisionRequest) -> bytes:
        if request.WhichOneof("by") == "identity":
            identity = checked_identity(request.tenant, translate.identity(request.identity))
            return self._identifier.keys.derived_id(DECISION_KIND, decision_key(request.tenant, identity))
        try:
            return uuid_bytes(request.decision_id)
        except ValueError as error:
            raise InvalidArgument("decision_id is not a UUID", reason="INVALID_DECISION_ID") from error

    @staticmethod
    def _remaining_s() -> float:
        remaining = deadline.remaining_s()
        return _DEFAULT_REMAINING_S if remaining is None else remaining


def _asker(facts: CallerFacts) -> Asker:
    return Asker(facts.request_id, facts.principal, facts.purpose or "fraud-prevention", facts.policy_hash)


def _check_tenant(facts: CallerFacts, tenant: str) -> None:
    """Refuse another tenant than the one the gateway authenticated (empty only on a clear-text loopback server without gateway)."""
    if checked_tenant(tenant) != facts.tenant and facts.tenant:
        raise PermissionDenied("the token is for another tenant", reason="TENANT_MISMATCH")
