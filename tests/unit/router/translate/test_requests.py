"""What callers ask for, and what the gateway found of them."""

from __future__ import annotations

import pytest
from finmesh.router.v1 import router_service_pb2 as pb
from meshkit.rpc.metadata import CallerFacts
from router.translate.requests import request


@pytest.mark.parametrize(
    ("said", "found", "named"), [("research", "research", "research"), ("", "research", "research"), ("", "", "assistant")]
)
def test_a_scenario_has_its_name_also_where_the_caller_left_it_out(said: str, found: str, named: str) -> None:
    made = request(pb.GenerateRequest(tenant="bank-a", scenario=said, text="你好"), CallerFacts(scenario=found, budget_key=b"\x92" * 16))
    assert (made.scenario, made.budget_key) == (named, b"\x92" * 16), "its records name it, and budgets count by records"
