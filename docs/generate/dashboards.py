"""The two Grafana dashboards, *finmesh serving* and *finmesh pool*, as JSON that Grafana imports or loads from a ConfigMap.

A panel is a title, a unit and its queries. Names of metrics stand here alone; a test scrapes running services for each of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

_PREFIX, _RATE = "finmesh_inference_", "[$__rate_interval]"
_WIDTH, _HEIGHT = 8, 7
_COLUMNS = 24 // _WIDTH


class Query(NamedTuple):
    """``legend`` is Grafana's format of a series' name."""

    expression: str
    legend: str


class Panel(NamedTuple):
    """``unit`` is Grafana's; ``is_table``: the present values as a table."""

    title: str
    unit: str
    queries: Sequence[Query]
    is_table: bool = False


def _quantiles(name: str, by: str = "", *, of: Sequence[float] = (0.5, 0.95)) -> list[Query]:
    labels = ", ".join(filter(None, ("le", by)))
    legend = f" {{{{{by}}}}}" if by else ""
    return [
        Query(f"histogram_quantile({each}, sum by ({labels}) (rate({name}_bucket{_RATE})))", f"p{round(each * 100)}{legend}") for each in of
    ]


def _rate(name: str, by: str, legend: str, where: str = "") -> Query:
    return Query(f"sum by ({by}) (rate({name}{where}{_RATE}))", legend)


def _by_worker(name: str) -> list[Query]:
    return [Query(f"max by (worker) ({_PREFIX}{name})", "{{worker}}")]


SERVING = (
    Panel("Generations", "reqps", [_rate("finmesh_router_generations_total", "way", "{{way}}")]),
    Panel("Errors by reason", "reqps", [_rate("finmesh_router_generations_total", "error_type", "{{error_type}}", '{error_type!=""}')]),
    Panel("Time to first token", "s", _quantiles("finmesh_router_time_to_first_token_seconds", of=(0.5, 0.95, 0.99))),
    Panel("Time per output token", "s", _quantiles(_PREFIX + "request_time_per_output_token_seconds", "leg")),
    Panel("Tokens", "none", [
        _rate(_PREFIX + "prompt_tokens_total", "leg", "prompt {{leg}}"),
        _rate(_PREFIX + "generation_tokens_total", "leg", "answer {{leg}}"),
    ]),
    Panel("Prompt tokens found in prefix stores", "percentunit", [Query(
        f"sum by (leg) (rate({_PREFIX}prefix_cache_hits_total{_RATE})) / sum by (leg) (rate({_PREFIX}prefix_cache_queries_total{_RATE}))",
        "{{leg}}",
    )]),
    Panel("Waiting in line for an engine", "none", [Query("sum(finmesh_router_num_requests_waiting)", "router")]),
    Panel("Failures of engines, and what was done", "ops", [
        _rate("finmesh_router_failovers_total", "phase, then", "{{phase}}: {{then}}"),
    ]),
    Panel("Answers of standby models", "reqps", [
        _rate("finmesh_router_substitutions_total", "model, by, leg", "{{by}} for {{model}} ({{leg}})"),
    ]),
    Panel("Queue at engines", "s", _quantiles(_PREFIX + "request_queue_time_seconds", "leg")),
    Panel("Reading prompts", "s", _quantiles(_PREFIX + "request_prefill_time_seconds", "leg")),
    Panel("One leg, from its call to its end", "s", _quantiles(_PREFIX + "e2e_request_latency_seconds", "leg")),
    Panel("First token of a leg", "s", _quantiles(_PREFIX + "time_to_first_token_seconds", "leg")),
    Panel("Length of prompts", "none", _quantiles(_PREFIX + "request_prompt_tokens", "leg")),
    Panel("Length of answers", "none", _quantiles(_PREFIX + "request_generation_tokens", "leg")),
    Panel("Calls of the gateway", "s", _quantiles("rpc_server_call_duration_seconds", "rpc_method")),
    Panel("Ended for a router that fell silent", "none", [Query("sum(increase(finmesh_generations_closed_total[1h]))", "an hour")]),
    Panel("What is missing", "none", [Query("finmesh_component_up == 0", "{{job}}: {{component}}")], is_table=True),
)  # fmt: skip
POOL = (
    Panel("State", "none", [Query(_PREFIX + "backend_state == 1", "{{worker}}")], is_table=True),
    Panel("Engines by state", "none", [Query(f"count by (state) ({_PREFIX}backend_state == 1)", "{{state}}")]),
    Panel("Isolated, by reason", "none", [
        Query(f'count by (worker, reason) ({_PREFIX}backend_state{{state="isolated"}} == 1)', "{{worker}} {{reason}}"),
    ]),
    Panel("Rows in use", "none", _by_worker("num_requests_running")),
    Panel("Waiting at the engine", "none", _by_worker("num_requests_waiting")),
    Panel("Step", "ms", _by_worker("step_ms")),
    Panel("Keys and values in use", "percentunit", _by_worker("kv_cache_usage_perc")),
    Panel("Prefix store in use", "percentunit", _by_worker("prefix_cache_usage_perc")),
    Panel("Hand-off arena in use", "percentunit", _by_worker("arena_usage_perc")),
    Panel("Utilisation", "percentunit", _by_worker("utilisation_perc")),
    Panel("How legs end", "reqps", [_rate(_PREFIX + "request_success_total", "leg, finished_reason", "{{leg}} {{finished_reason}}")]),
    Panel("Questions whose answers are known", "reqps", [_rate(_PREFIX + "probes_total", "verdict", "{{verdict}}")]),
    Panel("Tritons that were killed", "none", [Query(f"sum by (reason) (increase({_PREFIX}engines_killed_total[1h]))", "{{reason}}")]),
)  # fmt: skip


def page(uid: str, title: str, panels: Sequence[Panel]) -> str:
    """Return a dashboard as JSON."""
    made: dict[str, Any] = {
        "uid": uid,
        "title": title,
        "tags": ["finmesh"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    targets = [
        {"refId": chr(ord("A") + at), "datasource": source, "expr": query.expression, "legendFormat": query.legend}
        | ({"instant": True, "format": "table"} if panel.is_table else {})
        for at, query in enumerate(panel.queries)
    ]
    return {
        "id": number + 1,
        "type": "table" if panel.is_table else "timeseries",
        "title": panel.title,
        "datasource": source,
        "gridPos": {"x": number % _COLUMNS * _WIDTH, "y": number // _COLUMNS * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }
