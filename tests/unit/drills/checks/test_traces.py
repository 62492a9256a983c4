"""Edges and the tree of a trace, from spans as Zipkin's API returns them."""

from typing import Any

from drills.checks.traces import Edge, edges, tree


def span(number: int, service: str, kind: str = "", parent: int = 0, **tags: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": str(number), "name": f"n{number}", "localEndpoint": {"serviceName": service}, "tags": tags, "timestamp": number,
        "duration": 1500,
    }  # fmt: skip
    return found | ({"kind": kind} if kind else {}) | ({"parentId": str(parent)} if parent else {})


def test_a_call_is_an_edge_between_services_and_none_inside_one() -> None:
    spans = [span(1, "bank"), span(2, "bank", "CLIENT", 1), span(3, "gateway", "SERVER", 2), span(4, "gateway", "CLIENT", 3)]
    assert edges(spans) == {Edge("bank", "gateway")}


def test_a_topic_stands_between_writer_and_reader() -> None:
    topic = {"messaging.destination.name": "t"}
    assert edges([span(1, "bank", "PRODUCER", **topic), span(2, "scoring", "CONSUMER", 1, **topic)]) == {
        Edge("bank", "t"),
        Edge("t", "scoring"),
    }
    assert edges([span(2, "scoring", "CONSUMER", 1, **topic)]) == {Edge("t", "scoring")}
    assert edges([span(1, "scoring", "SERVER"), span(2, "audit", "CONSUMER", 1, **topic)]) == {Edge("scoring", "t"), Edge("t", "audit")}


def test_a_server_that_records_nothing_is_known_by_its_name() -> None:
    assert edges([span(1, "scoring", "CLIENT", **{"service.peer.name": "redis"})]) == {Edge("scoring", "redis")}


def test_the_tree_is_indented_and_keeps_spans_whose_parent_is_missing() -> None:
    spans = [span(3, "gateway", "SERVER", 2), span(2, "bank", "CLIENT", 1), span(1, "bank"), span(9, "audit", "CONSUMER", 8)]
    assert tree(spans) == ["bank: n1  1.5 ms", "  bank: n2  1.5 ms", "    gateway: n3  1.5 ms", "audit: n9  1.5 ms"]
