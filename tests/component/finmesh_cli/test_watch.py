"""`finmesh watch` on a real broker shows committed decisions once, and only those."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1 import decision_pb2
from finmesh_cli.__main__ import app
from finmesh_cli.commands.watch import TOPIC
from typer.testing import CliRunner, Result

from tests.stack import Stack


def decision(number: int, outcome: decision_pb2.Outcome = decision_pb2.OUTCOME_APPROVE) -> bytes:
    return decision_pb2.TransactionDecided(
        decision_id=f"d-{number}", outcome=outcome, score=0.25, amount=Money(currency_code="CNY", amount_minor=100 * number)
    ).SerializeToString()


def watch(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["--language", "en", "watch", *arguments], env={"COLUMNS": "160"})


@pytest.mark.stack
async def test_committed_decisions_once(stack: Stack, provisioned: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka, transactional_id=f"{provisioned}watch", transaction_timeout_ms=10_000)
    async with producer:
        async with producer.transaction():
            await producer.send(provisioned + TOPIC, decision(1))
            await producer.send(provisioned + TOPIC, decision(1))  # a replay: the same bytes under the same id
            await producer.send(provisioned + TOPIC, b"\xff\xff")
        await producer.begin_transaction()
        await producer.send(provisioned + TOPIC, decision(2))
        await producer.flush()
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send(provisioned + TOPIC, decision(3, decision_pb2.OUTCOME_DECLINE))
    result = await asyncio.to_thread(
        watch, "--bootstrap", stack.kafka, "--prefix", provisioned, "--from-start", "--count", "2"
    )  # fmt: skip
    assert result.exit_code == 0, result.output + result.stderr
    assert "d-1" in result.output
    assert "d-3" in result.output
    assert "d-2" not in result.output
    assert "approve 1  decline 1" in result.output


@pytest.mark.stack
def test_no_such_topic(stack: Stack, topic_prefix: str) -> None:
    result = watch("--bootstrap", stack.kafka, "--prefix", topic_prefix)
    assert result.exit_code == 3
    assert "no topic" in result.stderr


def test_no_broker() -> None:
    result = watch("--bootstrap", "127.0.0.1:1")
    assert result.exit_code == 3
    assert "127.0.0.1:1" in result.stderr
