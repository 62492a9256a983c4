"""Spans as the tracing backend got them (Zipkin API v2), and who called whom in them."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshkit.telemetry import names

Span = Mapping[str, Any]
_TIMEOUT_S = 5.0


@dataclass(frozen=True, order=True)
class Edge:
    """`source` used `target`: a service that answered, a topic that was written or read, a server beside us."""

    source: str
    target: str


class Zipkin:
    """The HTTP API at a base URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def page(self, trace_id: str) -> str:
        """Address of a trace for a person."""
        return f"{self._url}/zipkin/traces/{trace_id}"

    async def trace(self, trace_id: str) -> list[Span]:
        """Spans of one trace; empty when there is none or nobody answers."""
        found: list[Span] = await self._get(f"/api/v2/trace/{trace_id}")
        return found

    async def traces(self, service: str, limit: int) -> list[list[Span]]:
        """The newest traces that a service took part in."""
        found: list[list[Span]] = await self._get(f"/api/v2/traces?serviceName={service}&limit={limit}&lookback=3600000")
        return found

    async def _get(self, path: str) -> list[Any]:
        def get() -> list[Any]:
            try:
                with urllib.request.urlopen(self._url + path, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own Zipkin
                    content: list[Any] = json.load(answer)
                    return content
            except (urllib.error.URLError, OSError, ValueError):
                return []

        return await asyncio.to_thread(get)


def service_of(span: Span) -> str:
    """Who recorded a span."""
    return str(span.get("localEndpoint", {}).get("serviceName", ""))


def edges(spans: Sequence[Span]) -> set[Edge]:
    """Edges of one trace. A topic is written by who recorded a PRODUCER span or the parent of a CONSUMER span, whose recorder reads it."""
    by_id = {span["id"]: span for span in spans}
    found = set()
    for span in spans:
        tags, service = span.get("tags", {}), service_of(span)
        topic = tags.get(names.MESSAGING_DESTINATION, "")
        parent = by_id.get(span.get("parentId", ""))
        caller = service_of(parent) if parent is not None else service
        if topic and span.get("kind") == "PRODUCER":
            found.add(Edge(service, topic))
        elif topic and span.get("kind") == "CONSUMER":
            found.add(Edge(topic, service))
            if parent is not None:
                found.add(Edge(caller, topic))
        elif caller != service:
            found.add(Edge(caller, service))
        if peer := tags.get(names.PEER_SERVICE):
            found.add(Edge(service, peer))
    return found


def tree(spans: Sequence[Span]) -> list[str]:
    """One line a span, children indented below their parent, in order of time."""
    children: dict[str, list[Span]] = {}
    known = {span["id"] for span in spans}
    for span in sorted(spans, key=lambda s: s.get("timestamp", 0)):
        parent = span.get("parentId", "")
        children.setdefault(parent if parent in known else "", []).append(span)
    lines: list[str] = []

    def add(span: Span, depth: int) -> None:
        lines.append(f"{'  ' * depth}{service_of(span)}: {span.get('name', '')}  {span.get('duration', 0) / 1000:.1f} ms")
        for child in children.get(span["id"], []):
            if child is not span:
                add(child, depth + 1)

    for span in children.get("", []):
        add(span, 0)
    return lines
