"""A real broker that wants certificates: tools and services reach it with theirs, also with the one of tomorrow, and nobody without."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError
from localmesh.ports import LOOPBACK, Ports, free_ports
from localmesh.servers import kafka_row
from localmesh.supervisor import Mesh
from meshkit.config import KafkaSettings
from meshkit.events.message import Message
from meshkit.events.publisher import Publisher
from meshkit.events.replay import TopicReader
from provisioning import certificates
from provisioning.broker import provision
from provisioning.topics import load

from tests.stack import Stack

pytestmark = pytest.mark.stack
LISTENER = """
listeners=PLAINTEXT://{host}:{plain},SSL://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{plain},SSL://{host}:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL
ssl.keystore.type=PEM
ssl.keystore.location=broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=authority.pem
ssl.client.auth=required
"""


@pytest.fixture
async def broker(stack: Stack, certs: Path, tmp_path: Path) -> AsyncIterator[int]:
    """Gives the port of the TLS listener."""
    (port,), ports = free_ports(1), Ports.free()
    row = kafka_row(replace(stack.places, var=tmp_path / "var"), ports)

    def prepare() -> None:
        assert row.prepare is not None and row.cwd is not None
        row.prepare()
        certificates.ensure_certificates(certs, dt.datetime.now(dt.UTC), ("kafka",))
        (row.cwd / "broker.pem").write_text((certs / "kafka.key").read_text() + (certs / "kafka.pem").read_text())
        (row.cwd / "authority.pem").write_text((certs / "authority.pem").read_text())
        with (row.cwd / "server.properties").open("a") as properties:
            properties.write(LISTENER.format(host=LOOPBACK, plain=ports.kafka, port=port, controller=ports.kafka_controller))

    async with Mesh([replace(row, prepare=prepare)], tmp_path / "var"):
        yield port


async def test_mutual_tls(stack: Stack, broker: int, certs: Path) -> None:
    kafka = KafkaSettings(
        bootstrap_servers=f"{LOOPBACK}:{broker}",
        security_protocol="SSL",
        authority=certs / "authority.pem",
        certificate=certs / "risk-scoring.pem",
        key=certs / "risk-scoring.key",
    )
    topic = load(stack.places.topics)[0]
    assert topic.name in await provision(kafka.bootstrap_servers, [topic], kafka=kafka)
    certificates.write(certs, "risk-scoring", certificates.new_leaf("risk-scoring", authority(certs), dt.datetime.now(dt.UTC)))
    publisher, reader = Publisher(kafka), TopicReader(kafka, topic.name)
    try:
        await publisher.write([Message(topic.name, 0, b"k", "你好".encode(), [])])
        found = [record.value async for records, _ in reader.read(0, 0) for record in records]
    finally:
        await publisher.aclose()
        await reader.aclose()
    assert found == ["你好".encode()]
    nobody = kafka.model_copy(update={"certificate": None, "key": None})
    async with asyncio.timeout(30):
        with pytest.raises(KafkaError):
            await provision(kafka.bootstrap_servers, [topic], kafka=nobody)


def authority(certs: Path) -> certificates.Pair:
    pair = certificates.read(certs, "authority")
    assert pair is not None
    return pair
