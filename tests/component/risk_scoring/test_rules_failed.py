"""Rules that fail on a batch although they were probed: the ones before answer; without any the stream waits and calls are UNAVAILABLE."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from finmesh.risk.v1.decision_pb2 import TransactionDecided
from meshkit.errors import Unavailable
from risk_scoring.domain.rules import RuleSet, RulesFailed

from tests.protocol.desks import RULES, Desk, desk
from tests.protocol.makers import payment, request
from tests.unit.risk_scoring.rule_sets import changed


@contextmanager
def failing(*versions: str) -> Iterator[None]:
    """Rules of these declared versions fail when they are asked."""
    genuine = RuleSet.evaluate

    def evaluate(self: RuleSet, columns: Any, n: int) -> Any:
        if self.version.partition("+")[0] in versions:
            raise OverflowError("Python integer 200 out of bounds for int8")
        return genuine(self, columns, n)

    with patch.object(RuleSet, "evaluate", evaluate):
        yield


def reloaded(at: Desk, folder: Path, version: str) -> None:
    path = folder / "rules.json"
    path.write_bytes(changed(version))
    at.policies._rules_path = path
    assert at.policies.reload_if_changed()
    assert at.policies.current().rules.version.startswith(f"{version}+")


def rule_set(decision: bytes) -> str:
    return TransactionDecided.FromString(decision).versions.rule_set_version.partition("+")[0]


async def test_the_set_before_answers_until_another_is_loaded(private_redis: Any, tmp_path: Path) -> None:
    async with desk(private_redis) as at, desk(private_redis) as unchanged:
        shipped = at.policies.current().rules
        reloaded(at, tmp_path, "new")
        with failing("new"):
            verdicts = await at.decide(*(request(payment(n)) for n in range(3)))
            assert at.policies.current().rules is shipped
            assert at.health.missing == {"rules": "RULES_FAILED"}
            assert rule_set((await at.score(request(payment(7)), 5.0)).decision) == shipped.version.partition("+")[0]
        expected = await unchanged.decide(*(request(payment(n)) for n in range(3)))
        assert [verdict.decision for verdict in verdicts] == [verdict.decision for verdict in expected]
        reloaded(at, tmp_path, "mended")
        assert not at.health.missing
        (verdict,) = await at.decide(request(payment(11)))
        assert rule_set(verdict.decision) == "mended"


async def test_a_change_of_channels_does_not_bring_the_failed_set_back(private_redis: Any, tmp_path: Path) -> None:
    channels = tmp_path / "channels.yaml"
    channels.write_bytes((RULES / "channels.yaml").read_bytes())
    async with desk(private_redis, channel_file=channels) as at:
        shipped = at.policies.current().rules
        reloaded(at, tmp_path, "new")
        with failing("new"):
            await at.decide(request(payment(1)))
        channels.write_text(channels.read_text().replace("least_decisions: 200", "least_decisions: 300"))
        assert at.policies.reload_if_changed()
        assert at.policies.current().channels.cap.least_decisions == 300
        assert at.policies.current().rules is shipped
        assert at.health.missing == {"rules": "RULES_FAILED"}


async def test_without_a_set_before_nothing_is_decided_and_the_store_is_not_blamed(private_redis: Any, tmp_path: Path) -> None:
    async with desk(private_redis) as at:
        shipped = at.policies.current().rules.version.partition("+")[0]
        with failing(shipped):
            with pytest.raises(Unavailable) as caught:  # the worker of the stream keeps the batch and tries again
                await at.streamed(payment(1))
            assert caught.value.reason == "RULES_FAILED"
            for n in range(2, 9):
                with pytest.raises(RulesFailed):
                    await at.score(request(payment(n)), 5.0)
                at.shelf.clock.advance(0.7)
            assert not at.outage.active
            assert at.health.missing == {"rules": "RULES_FAILED"}
            with pytest.raises(RulesFailed):
                at.outage._log_decider._by_rules(request(payment(9)))
        reloaded(at, tmp_path, "mended")
        messages = await at.streamed(payment(1))
        assert messages
        assert not at.health.missing


async def test_without_both_sets_nothing_is_decided(private_redis: Any, tmp_path: Path) -> None:
    async with desk(private_redis) as at:
        shipped = at.policies.current().rules.version.partition("+")[0]
        reloaded(at, tmp_path, "new")
        with failing("new", shipped), pytest.raises(RulesFailed):
            await at.decide(request(payment(1)))
        (verdict,) = await at.decide(request(payment(1)))
        assert rule_set(verdict.decision) == shipped


PROGRAM = textwrap.dedent(
    """
    import asyncio
    from unittest.mock import Mock

    from finmesh.risk.v1 import risk_scoring_service_pb2 as pb
    from finmesh.risk.v1 import risk_scoring_service_pb2_grpc as rpc
    from google.protobuf.timestamp_pb2 import Timestamp
    from meshkit.clock import SystemClock
    from meshkit.config import ServiceConfig
    from meshkit.rpc.channel import MeshChannel
    from meshkit.rpc.deadline import Deadlines
    from meshkit.rpc.server import MeshServer
    from meshkit.service import Service, run
    from risk_scoring.servicer import RiskScoringServicer
    from risk_scoring.usecases import backtest_rules

    from tests.unit.risk_scoring.rule_sets import changed

    genuine = backtest_rules.load_for_service

    def again_and_again(document, look):
        print("busy", flush=True)
        while True:
            genuine(document, look)

    backtest_rules.load_for_service = again_and_again

    async def main():
        async with Service(ServiceConfig(shutdown_grace_s=0.2), "t") as service:
            tested = backtest_rules.BacktestRules(Mock(), lambda: Mock(), SystemClock(), 60)
            server = MeshServer("127.0.0.1:0", deadlines=Deadlines(default_maximum_s=600.0))
            servicer = RiskScoringServicer(Mock(), Mock(), Mock(), Mock(), tested, Mock(), Mock(), SystemClock(), 60)
            rpc.add_RiskScoringServiceServicer_to_server(servicer, server)

            async def ask():
                await service.started.wait()
                async with MeshChannel(server.address) as channel:
                    asked = pb.BacktestRulesRequest(tenant="bank-a", rule_set=changed("trial"), since=Timestamp(seconds=1))
                    await rpc.RiskScoringServiceStub(channel).BacktestRules(asked, timeout=600.0)

            service.task(ask(), endless=True)
            await service.run(server)
        print("closed", flush=True)

    run(main())
    """
)


def test_the_process_ends_at_sigterm_during_a_test_of_rules() -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "busy\n"
        process.send_signal(signal.SIGTERM)
        try:
            out, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert (process.returncode, out) == (0, "closed\n")
