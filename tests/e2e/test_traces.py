"""Who uses whom, as a table, compared with the spans that arrived in Zipkin from a real run: nothing missing, nothing else."""

import pytest
from drills.checks.traces import Edge, edges

from tests.e2e.conftest import Day

pytestmark = pytest.mark.stack

REQUESTED = "finmesh.risk.v1.TransactionAuthorizationRequested"
AUDITED = "finmesh.audit.v1.AuditBatch"

TO_TRITON = Edge("risk-scoring", "triton")  # batches of more than 8 rows alone go there, whatever they came by
CALL = {
    Edge("simbank", "gateway"),
    Edge("gateway", "risk-scoring"),
    Edge("risk-scoring", "redis"),
    Edge("risk-scoring", "kafka"),
    Edge("risk-scoring", AUDITED),
    Edge(AUDITED, "audit"),
}
STREAM = {
    Edge("simbank", REQUESTED),
    Edge(REQUESTED, "risk-scoring"),
    Edge("risk-scoring", "redis"),
    Edge("risk-scoring", AUDITED),
    Edge(AUDITED, "audit"),
}


def test_the_edges_are_those_of_the_table(day: Day) -> None:
    found = set().union(*(edges(trace) for trace in day.traces))
    assert found - {TO_TRITON} == CALL | STREAM


@pytest.mark.parametrize(("name", "table"), [("call", CALL), ("stream", STREAM)])
def test_one_trace_goes_from_the_first_byte_to_the_last_event(day: Day, name: str, table: set[Edge]) -> None:
    whole = [trace for trace in day.traces if edges(trace) - {TO_TRITON} == table]
    assert whole, f"no trace of a {name} has every edge"


def test_no_span_is_an_orphan_inside_the_mesh(day: Day) -> None:
    """A parent that another of our services recorded has arrived too; only the bank leaves traces unsampled and so unrecorded."""
    for trace in day.traces:
        known = {span["id"] for span in trace}
        roots = [span for span in trace if span.get("parentId") not in known and span.get("parentId")]
        assert {span.get("kind") for span in roots} <= {"CONSUMER"}, trace
