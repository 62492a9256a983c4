"""The RPC process: synchronous decisions, stored decisions, list changes."""

from __future__ import annotations

from contextlib import aclosing

from finmesh.risk.v1 import risk_scoring_service_pb2, risk_scoring_service_pb2_grpc
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config, run

from risk_scoring import translate
from risk_scoring.adapters.kafka_decision_history import KafkaDecisionHistory
from risk_scoring.adapters.kafka_outage_log import KafkaOutageLog
from risk_scoring.adapters.kafka_publisher import KafkaPublisher
from risk_scoring.adapters.lxml_pacs008 import parse_document
from risk_scoring.config import RpcConfig
from risk_scoring.main.parts import STREAM_GROUP, assemble
from risk_scoring.servicer import RiskScoringServicer
from risk_scoring.steps.decide_on_log import LogDecider
from risk_scoring.steps.outage import Outage
from risk_scoring.steps.startup import until_restored
from risk_scoring.translate.list_changes import ListChangeCodec
from risk_scoring.usecases.backtest_rules import BacktestRules
from risk_scoring.usecases.change_list_entry import ChangeListEntry
from risk_scoring.usecases.get_decision import GetDecision
from risk_scoring.usecases.score_pacs008 import ScorePacs008
from risk_scoring.usecases.score_transaction import ScoreTransaction

_SERVICE = risk_scoring_service_pb2.DESCRIPTOR.services_by_name["RiskScoringService"].full_name
DEADLINES = Deadlines(maximum_s={f"/{_SERVICE}/ScorePacs008": 20.0, f"/{_SERVICE}/BacktestRules": 60.0})  # as the gateway's routes


async def main() -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = load_config(RpcConfig)
    async with Service(config, name="risk-scoring") as service:
        await serve(config, service)


async def serve(config: RpcConfig, service: Service) -> None:
    """Build everything and serve."""
    parts = await assemble(config, service, "rpc")
    server = MeshServer.of(config, config.callers, DEADLINES, refused=parts.denials.refused)
    publisher = KafkaPublisher(parts.events, parts.trail.emitter, parts.keys, config.kafka.topic_prefix)
    outage_log = KafkaOutageLog(
        kafka=config.kafka,
        group=STREAM_GROUP,
        signer=parts.signer,
        identify=translate.decision_id,
        clock=parts.clock,
        lookback_s=config.outage_lookback_s,
    )
    policies, clock, after_s = parts.policies.current, parts.clock, config.outage_after_ms / 1000
    log_decider = LogDecider(outage_log, parts.combiner, parts.codec, policies, clock)
    without_store = Outage(
        outage_log=outage_log, restorer=parts.restorer, log_decider=log_decider, clock=clock, health=service, after_s=after_s
    )
    outage = await service.add(aclosing(without_store))
    store_timeout_s = config.sync_store_timeout_ms / 1000
    score = ScoreTransaction(
        decider=parts.decider,
        store=parts.store,
        restorer=parts.restorer,
        publisher=publisher,
        outage=outage,
        recall=parts.recall,
        max_batch=config.coalesce_max,
        store_timeout_s=store_timeout_s,
    )
    servicer = RiskScoringServicer(
        score=score,
        score_pacs008=ScorePacs008(score),
        get_decision=GetDecision(parts.store, parts.recall),
        change_list_entry=ChangeListEntry(publisher, ListChangeCodec(parts.trail.records, parts.keys, parts.commitments)),
        backtest_rules=BacktestRules(KafkaDecisionHistory(config.kafka, parts.identifier), policies, clock, config.dedupe_horizon_s),
        parse_pacs008=parse_document,
        identifier=parts.identifier,
        clock=clock,
        dedupe_horizon_s=config.dedupe_horizon_s,
    )
    risk_scoring_service_pb2_grpc.add_RiskScoringServiceServicer_to_server(servicer, server)  # type: ignore[arg-type]
    service.task(until_restored(parts.link, parts.restorer, service), name="restore", endless=True)
    await service.run(server)


if __name__ == "__main__":
    run(main())
