"""Both processes of risk-scoring composed in process, with every neighbour away: they serve, and say what is missing."""

from __future__ import annotations

import pytest
from meshkit.config import KafkaSettings, RedisSettings, TritonSettings
from meshkit.service import Service
from meshkit.testing.serving import running
from risk_scoring.config import RiskScoringConfig, RpcConfig, StreamConfig
from risk_scoring.main import rpc, stream

NOBODY = "127.0.0.1:1"
AWAY = {
    "listen": "127.0.0.1:0",
    "metrics_listen": "",
    "kafka": KafkaSettings(bootstrap_servers=NOBODY),
    "redis": RedisSettings(url=f"redis://{NOBODY}/0"),
    "triton": TritonSettings(url=NOBODY),
    "shutdown_grace_s": 1.0,
}


@pytest.mark.parametrize(("process", "config"), [(rpc, RpcConfig(**AWAY)), (stream, StreamConfig(**AWAY))], ids=["rpc", "stream"])
async def test_it_serves_without_its_neighbours(process, config: RiskScoringConfig) -> None:
    service = Service(config, "risk-scoring")
    async with running(service, lambda held: process.serve(config, held)):
        state = service.state()
        assert state["state"] == "not-ready" and {"lists", "feature-store"} <= set(state["missing"])
