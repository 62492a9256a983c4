"""What the two audit records of a model's generation say, on a terminal. Prompt and answers are not there: commitments are."""

from __future__ import annotations

from collections.abc import Iterator

from finmesh.audit.v1.audit_record_pb2 import Generation, GenerationEnded, GenerationStarted, KvIntegrity, Routing
from finmesh.inference.v1.generation_pb2 import FinishReason, UsageFacts

Lines = Iterator[tuple[str, str]]


def lines(generation: Generation) -> Lines:
    """Yield label and value of every line."""
    yield "generation", generation.generation_id
    if generation.HasField("started"):
        yield from _started(generation.started)
    elif generation.HasField("ended"):
        yield from _ended(generation.ended)


def _started(started: GenerationStarted) -> Lines:
    yield "model", f"{started.model}  release {started.release or '-'}"
    if started.standby_for:
        yield (
            "standby for",
            f"{started.standby_for}  {started.standby_reason or '-'}, first generation {started.first_generation_id or '-'}",
        )
    yield "tokenizer", started.tokenizer_sha256.hex() or "-"
    yield "prompt", f"{started.prompt_tokens} tokens, {started.prompt_commitment.hex() or '-'}"
    if started.grammar_commitment:
        yield "schema", started.grammar_commitment.hex()
    if started.tools:
        yield "tools", f"{started.tools}  {started.tool_choice or '-'}, {started.tools_commitment.hex() or '-'}"
    sampling = started.sampling
    seed = f"{int.from_bytes(sampling.seed, 'big')}{'' if sampling.seed_given else ' (drawn)'}"
    yield (
        "sampling",
        f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}, top-k {sampling.top_k}, "
        f"seed {seed}, {sampling.choices} x {started.max_output_tokens} tokens, {started.stops} stops",
    )
    yield from _routing(started.routing)


def _routing(routing: Routing) -> Lines:
    if routing.prefill_worker:
        yield "prefill", f"{routing.prefill_worker}  {routing.prefill_reason or '-'}"
    yield "decode", f"{routing.decode_worker or '-'}  {routing.decode_reason or '-'}"
    yield "handed over", _handed_over(routing.disaggregated, routing.reason)
    for score in routing.scores:
        yield (
            "engine",
            f"{score.worker}  cost {score.cost_milli / 1000:g}, cached {score.cached_blocks}, "
            f"load {score.load_milli / 1000:g}, queue {score.queue_milli / 1000:g}",
        )


def _ended(ended: GenerationEnded) -> Lines:
    for answer in ended.answers:
        reason = FinishReason.Name(answer.finish_reason).removeprefix("FINISH_REASON_")
        yield "answer", f"{reason}  {answer.output_tokens} tokens, {answer.output_commitment.hex() or '-'}"
        if answer.called:
            yield "called", f"{', '.join(f'#{place + 1}' for place in answer.called)}  {answer.calls_commitment.hex()}"
    yield from _usage(ended.usage)
    if ended.prefill_worker:
        yield "prefill", ended.prefill_worker
    if ended.decode_worker:
        yield "decode", ended.decode_worker
    integrity = KvIntegrity.Name(ended.kv_integrity).removeprefix("KV_INTEGRITY_") if ended.kv_integrity else ""
    yield "handed over", " ".join(filter(None, (_handed_over(ended.disaggregated, ended.reason), integrity)))
    if ended.failovers:
        yield "failovers", f"{ended.failovers}  {' '.join(ended.continued)}".rstrip()
    if ended.error:
        yield "error", ended.error
    if ended.interrupted:
        yield "interrupted", "closed afterwards at the last checkpoint"


def _usage(usage: UsageFacts) -> Lines:
    shadow = f", {usage.shadow_tokens} shadow" if usage.shadow_tokens else ""
    yield "used", f"{usage.prompt_tokens} prompt ({usage.cached_tokens} cached), {usage.output_tokens} output{shadow} tokens"
    energy = f"{usage.energy_j:g} J {'measured' if usage.energy_measured else 'estimated'}" if usage.energy_j else "energy unknown"
    yield "accelerator", f"{usage.accelerator or '-'}  {usage.busy_ms:g} ms, {energy}"


def _handed_over(is_disaggregated: bool, reason: str) -> str:
    return f"{'yes' if is_disaggregated else 'no'}  {reason or '-'}"
