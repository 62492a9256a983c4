"""What the engines' services measure and trace: names after vLLM's and OpenTelemetry's GenAI conventions where they have one.

Surprising: spans of a hand-off are made of what the engines report, on their own clocks; engines and services share a host. vLLM's
`vllm:` stands as `finmesh.inference.` here; docs/telemetry.md says what differs. No label is drawn by a caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from finmesh.inference.v1.generation_pb2 import ChoiceFinished, FinishReason, UsageFacts
from finmesh.inference.v1.worker_pb2 import WorkerDescription, WorkerLoad, WorkerState
from meshkit.telemetry import context as trace
from meshkit.telemetry import metrics, names, spans
from meshkit.telemetry.context import TraceContext
from opentelemetry.metrics import CallbackOptions, Observation

from backends.port import Backend, Phase, Published, Running

PREFIX = "finmesh.inference."
_GAUGES: tuple[tuple[str, str], ...] = (
    ("num_requests_running", "rows in use"),
    ("num_requests_waiting", "requests that wait for a row"),
    ("kv_cache_usage_perc", "share of the rows' tokens that running answers hold, 0 to 1"),
    ("arena_usage_perc", "share of the hand-off arena in use, 0 to 1"),
    ("prefix_cache_usage_perc", "share of the prefix store in use, 0 to 1"),
    ("utilisation_perc", "share of the last seconds in which it computed, 0 to 1; only of engines that tell it"),
    ("step_ms", "median of the last steps"),
)
_STATE = "backend_state"
_TOKENS = (1, 8, 32, 128, 256, 512, 1024, 2048, 4096, 8192, 32768, 131072)


class EngineGauges:
    """Gauges by worker, of what each engine last said."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self._backends = backends
        for name, description in _GAUGES:
            metrics.meter().create_observable_gauge(PREFIX + name, [self._observing(name)], description=description)
        metrics.meter().create_observable_gauge(
            PREFIX + _STATE, [self._states], description="1 for the state that an engine is in, with the reason of an isolation"
        )

    def _observing(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            for description, load in self._told():
                value = _value(name, load, description.rows * description.max_len_tokens // max(1, description.block_tokens))
                if value >= 0:
                    yield Observation(value, {"worker": description.worker_id})

        return observe

    def _states(self, _: CallbackOptions) -> Iterable[Observation]:
        for description, load in self._told():
            state = WorkerState.Name(load.state).removeprefix("WORKER_STATE_").lower()
            yield Observation(1, {"worker": description.worker_id, "model": description.model, "state": state, "reason": load.reason})

    def _told(self) -> Iterable[tuple[WorkerDescription, WorkerLoad]]:
        return [(backend.description, backend.load) for backend in self._backends if backend.description is not None]


def _value(name: str, load: WorkerLoad, blocks: int) -> float:
    """Return what a gauge shows; negative when the engine does not tell."""
    match name:
        case "num_requests_running":
            return load.rows_used
        case "num_requests_waiting":
            return load.queued
        case "kv_cache_usage_perc":
            return load.kv_usage or (load.decode_blocks / blocks if blocks else 0.0)
        case "utilisation_perc":
            return load.utilisation
        case "arena_usage_perc":
            return load.arena_used_bytes / load.arena_bytes if load.arena_bytes else 0.0
        case "prefix_cache_usage_perc":
            return load.cached_blocks / load.cache_capacity_blocks if load.cache_capacity_blocks else 0.0
        case _:
            return load.step_ms


class OtelObserver:
    """A `backends.port.Observer`: histograms, counters, spans. ``leg``: "prefill" or "decode"."""

    def __init__(self, leg: str) -> None:
        self.leg = leg
        meter, histogram = metrics.meter(), metrics.histogram
        self.first = histogram(PREFIX + "time_to_first_token_seconds", unit="s", description="from the call to the first token")
        self.each = histogram(
            PREFIX + "request_time_per_output_token_seconds", unit="s", description="behind the first, a mean for each request"
        )
        self.queued = histogram(PREFIX + "request_queue_time_seconds", unit="s", description="how long it waited at its engine")
        self.read = histogram(PREFIX + "request_prefill_time_seconds", unit="s", description="how long its prompt was read there")
        self.prompts = histogram(PREFIX + "request_prompt_tokens", unit="{token}", description="tokens of a prompt", buckets=_TOKENS)
        self.outputs = histogram(
            PREFIX + "request_generation_tokens", unit="{token}", description="tokens of the answers to one request", buckets=_TOKENS
        )
        self.all = histogram(PREFIX + "e2e_request_latency_seconds", unit="s", description="from the call to its end")
        self.success = meter.create_counter(PREFIX + "request_success", description="requests that ended, by `finished_reason`")
        self.prompt = meter.create_counter(PREFIX + "prompt_tokens", description="tokens of prompts")
        self.queries = meter.create_counter(PREFIX + "prefix_cache_queries", description="tokens of prompts that were looked up")
        self.hits = meter.create_counter(PREFIX + "prefix_cache_hits", description="tokens of prompts that were cached")
        self.output = meter.create_counter(PREFIX + "generation_tokens", description="tokens of answers")

        self.of_phase = {"queue": self.queued, "prefill": self.read}

    def began(self, model: str) -> OtelObserved:
        """Something is asked of that model."""
        return OtelObserved(self, model)


class OtelObserved:
    """One request. Its span is `chat {model}`, or `prefill {model}` where its prompt alone is read; phases of the engine are below it."""

    def __init__(self, observer: OtelObserver, model: str) -> None:
        self._observer, self._labels = observer, {"leg": observer.leg}
        self._parent = trace.current()
        self._context = spans.root() if self._parent is None else self._parent.child()
        self._name = f"{'chat' if observer.leg == 'decode' else observer.leg} {model}"
        self._start_ns, self._begun_s = time.time_ns(), time.monotonic()
        self._first_s: float | None = None
        self._reasons: list[str] = []
        self._facts: dict[str, str | int | float | bool] = {
            names.GENAI_OPERATION: "chat",
            names.GENAI_PROVIDER: "finmesh",
            names.GENAI_REQUEST_MODEL: model,
        }

    def published(self, published: Published) -> None:
        """Its prompt was read elsewhere than it is answered."""
        self._facts["finmesh.worker"] = published.response.worker_id
        self._facts["finmesh.handoff.ticket_bytes"] = len(published.response.ticket)
        self._phases(published.phases)
        self.token()
        for finished in published.response.finished:
            self.finished(finished)
        self.ended(published.response.usage)

    def running(self, running: Running) -> None:
        """Its row runs."""
        committed = running.committed
        self._facts["finmesh.worker"] = committed.worker_id
        if committed.transport:
            self._facts["finmesh.handoff.transport"] = committed.transport
            self._facts["finmesh.handoff.bytes"] = committed.pulled_bytes
            self._facts["finmesh.handoff.pulls"] = committed.pulls
        self._phases(running.phases)

    def token(self) -> None:
        """Tokens came."""
        if self._first_s is None:
            self._first_s = self._took_s()
            self._observer.first.record(self._first_s, self._labels)

    def finished(self, finished: ChoiceFinished) -> None:
        """One of its answers ended."""
        self._reasons.append(FinishReason.Name(finished.reason).removeprefix("FINISH_REASON_").lower())

    def ended(self, usage: UsageFacts) -> None:
        """It ended well."""
        self._facts[names.GENAI_INPUT_TOKENS] = usage.prompt_tokens
        self._facts[names.GENAI_OUTPUT_TOKENS] = usage.output_tokens
        self._facts[names.GENAI_CACHED_TOKENS] = usage.cached_tokens
        if self._reasons:
            self._facts[names.GENAI_FINISH_REASONS] = ",".join(self._reasons)
        observer, took_s = self._observer, self._took_s()
        observer.prompt.add(usage.prompt_tokens, self._labels)
        observer.queries.add(usage.prompt_tokens, self._labels)
        observer.hits.add(usage.cached_tokens, self._labels)
        observer.output.add(usage.output_tokens, self._labels)
        observer.prompts.record(usage.prompt_tokens, self._labels)
        observer.outputs.record(usage.output_tokens, self._labels)
        if usage.output_tokens > 1 and self._first_s is not None:
            observer.each.record((took_s - self._first_s) / (usage.output_tokens - 1), self._labels)
        self._over(self._reasons[-1] if self._reasons else "handed_over", took_s, None)

    def failed(self, reason: str) -> None:
        """It failed, or nobody wants it any more."""
        self._over(reason, self._took_s(), reason)

    def _took_s(self) -> float:
        return time.monotonic() - self._begun_s

    def _over(self, reason: str, took_s: float, error: str | None) -> None:
        self._observer.all.record(took_s, self._labels)
        self._observer.success.add(1, {**self._labels, "finished_reason": reason})
        self._record(self._name, self._context, self._parent, (self._start_ns, time.time_ns()), error)

    def _phases(self, phases: Sequence[Phase]) -> None:
        for phase in phases:
            if (histogram := self._observer.of_phase.get(phase.name)) is not None:
                histogram.record((phase.end_ns - phase.start_ns) / 1e9, self._labels)
            self._record(phase.name, self._context.child(), self._context, (phase.start_ns, phase.end_ns), None)

    def _record(self, name: str, context: TraceContext, parent: TraceContext | None, when_ns: tuple[int, int], error: str | None) -> None:
        start_ns, end_ns = when_ns
        spans.record(name, context, parent=parent, start_ns=start_ns, end_ns=end_ns, attributes=self._facts, error=error)
