"""What vLLM's /metrics says, as the port's load. Pure.

Surprising: its count of iterations stands still when it has nothing to do, unlike our own engine's turns. Rates are of what was counted
between two looks; what was not counted keeps its last value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from finmesh.inference.v1.worker_pb2 import WorkerLoad
from prometheus_client.parser import text_string_to_metric_families

_PREFIX = "vllm:"
_WANTED = frozenset(
    _PREFIX + name
    for name in (
        "num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "iteration_tokens_total_count",
        "generation_tokens_total", "generation_tokens_created", "prompt_tokens_by_source_total",
        "request_prefill_time_seconds_sum", "inter_token_latency_seconds_sum",
        "inter_token_latency_seconds_count",
    )
)  # fmt: skip
_CONFIG = _PREFIX + "cache_config_info"
_COMPUTED = "local_compute"
_LONGEST_READ_S = 600.0


@dataclass(frozen=True, slots=True)
class Said:
    """``values``: by name without prefix, engines of one server together. ``config``: labels of its cache's settings."""

    values: Mapping[str, float]
    config: Mapping[str, str]

    @property
    def began(self) -> str:
        """Return what is another after each start of the server."""
        return f"{self.values.get('generation_tokens_created', 0.0):.3f}"

    def number(self, name: str) -> int:
        """Return a whole number of the cache's settings, 0 when it is none."""
        text = self.config.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else 0

    def count(self, name: str) -> int:
        """Return a count or gauge as a whole number; 0 when it was not told."""
        return max(0, round(self.values.get(name, 0.0)))


def read(text: str) -> Said:
    """Return what a page says. Raises ValueError for one that is none."""
    values: dict[str, float] = {}
    config: dict[str, str] = {}
    for family in text_string_to_metric_families(text):
        if not family.name.startswith(_PREFIX):
            continue
        for sample in family.samples:
            if sample.name == _CONFIG:
                config = dict(sample.labels)
            elif sample.name in _WANTED and sample.value == sample.value and sample.labels.get("source", _COMPUTED) == _COMPUTED:
                name = sample.name.removeprefix(_PREFIX)
                is_share = name in ("kv_cache_usage_perc", "generation_tokens_created")
                values[name] = max(values.get(name, 0.0), sample.value) if is_share else values.get(name, 0.0) + sample.value
    if "num_requests_running" not in values:
        raise ValueError("it does not say how many requests run")
    return Said(values, config)


@dataclass(slots=True)
class Rates:
    """What is counted between two looks."""

    _before: Said | None = None
    _at_s: float = 0.0
    step_ms: float = 0.0
    output_tokens_per_s: float = 0.0
    prefill_tokens_per_s: float = 0.0

    def look(self, said: Said, now_s: float) -> None:
        """Take a look. Counters that went back are those of another start."""
        before, took_s = self._before, now_s - self._at_s
        self._before, self._at_s = said, now_s
        if before is None or before.began != said.began or took_s <= 0:
            return

        def more(name: str) -> float:
            return said.values.get(name, 0.0) - before.values.get(name, 0.0)

        self.output_tokens_per_s = more("generation_tokens_total") / took_s
        if (steps := more("inter_token_latency_seconds_count")) > 0:
            self.step_ms = more("inter_token_latency_seconds_sum") / steps * 1000
        computed, read_s = more("prompt_tokens_by_source_total"), more("request_prefill_time_seconds_sum")
        if computed > 0 and 0 < read_s < _LONGEST_READ_S:  # of a prompt that was fetched, not read, it counts hours (0.32)
            self.prefill_tokens_per_s = computed / read_s


def load(said: Said, rates: Rates, *, rows_used: int, prefill_tokens: int, cached_blocks: int, block_tokens: int) -> WorkerLoad:
    """Return its load, without state. ``rows_used``, ``prefill_tokens``: what this process has there, which counts before the page does."""
    usage = min(max(said.values.get("kv_cache_usage_perc", 0.0), 0.0), 1.0)
    tokens = said.number("num_gpu_blocks") * said.number("block_size")
    return WorkerLoad(
        steps=said.count("iteration_tokens_total_count"),
        rows_used=max(rows_used, said.count("num_requests_running")),
        queued=said.count("num_requests_waiting"),
        prefill_tokens=prefill_tokens,
        decode_blocks=round(usage * tokens / block_tokens),
        cached_blocks=cached_blocks,
        cache_capacity_blocks=tokens // block_tokens,
        step_ms=rates.step_ms,
        output_tokens_per_s=rates.output_tokens_per_s,
        prefill_tokens_per_s=rates.prefill_tokens_per_s,
        kv_usage=usage,
        utilisation=-1.0,
    )
