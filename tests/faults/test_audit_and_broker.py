"""The audit consumer and a broker of its own: started in the wrong order, killed, started again. Nothing is lost or doubled."""

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.servers import kafka_row
from localmesh.supervisor import Mesh
from meshkit.config import KafkaSettings

from tests.ports.audit.bench import Bench, record

pytestmark = pytest.mark.stack


@pytest.mark.timeout(300)
async def test_the_broker_starts_late_and_is_killed(tmp_path: Path) -> None:
    places, ports = replace(Places.default(), var=tmp_path), Ports.free()
    bench = Bench(KafkaSettings(bootstrap_servers=f"{LOOPBACK}:{ports.kafka}", request_timeout_ms=3000), tmp_path)
    mesh = Mesh([kafka_row(places, ports)], tmp_path)
    async with bench.reading():
        async with asyncio.timeout(60):
            while not bench.health.reasons:
                await asyncio.sleep(0.02)
        async with mesh:
            await bench.create()
            await bench.send(*range(50))
            await bench.until(50)
            killed = mesh.kill("kafka", signal.SIGKILL)
            async with asyncio.timeout(60):
                while bench.health.up.is_set():
                    await asyncio.sleep(0.02)
            await mesh.wait("kafka", other_than_pid=killed)
            await bench.send(*range(50, 100))
            await bench.until(100)
            assert sorted(bench.records()) == sorted(record(n) for n in range(100))
