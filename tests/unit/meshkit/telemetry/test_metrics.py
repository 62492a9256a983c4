"""The endpoint that Prometheus scrapes and an orchestrator's probes ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from meshkit.telemetry.metrics import Endpoint
from prometheus_client import REGISTRY, Counter


@pytest.fixture
def told() -> dict[str, Any]:
    return {"service": "audit", "state": "ready", "missing": {}}


@pytest.fixture
def endpoint(told: dict[str, Any]) -> Iterator[Endpoint]:
    serving = Endpoint("127.0.0.1:0", lambda: told)
    yield serving
    serving.close()


def get(endpoint: Endpoint, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", endpoint.port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(("state", "status"), [("ready", 200), ("ready-degraded", 200), ("not-ready", 503), ("stopping", 503)])
def test_ready_follows_the_state_and_says_it(endpoint: Endpoint, told: dict[str, Any], state: str, status: int) -> None:
    told["state"] = state
    assert get(endpoint, "/ready") == (status, json.dumps(told).encode())


def test_state_answers_while_the_process_lives(endpoint: Endpoint, told: dict[str, Any]) -> None:
    told["state"] = "not-ready"
    status, body = get(endpoint, "/state")
    assert status == 200
    assert json.loads(body) == told


def test_metrics_are_in_prometheus_text(endpoint: Endpoint) -> None:
    status, body = get(endpoint, "/metrics")
    assert status == 200
    assert b"# HELP" in body


def test_label_values_are_masked_and_numbers_are_not(endpoint: Endpoint) -> None:
    counter = Counter("redaction_test", "a test", ["who"])
    try:
        counter.labels("卡6222021234567890128").inc(13812345678)
        _, body = get(endpoint, "/metrics?name[]=redaction_test_total")
        assert 'redaction_test_total{who="卡[card]"} 1.3812345678e+10' in body.decode()
        assert b"6222021234567890128" not in get(endpoint, "/metrics")[1]
    finally:
        REGISTRY.unregister(counter)
