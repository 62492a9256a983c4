"""What workers tell of themselves: `finmesh.inference.v1.WorkerService`."""

from __future__ import annotations

from collections.abc import Iterable

from finmesh.inference.v1 import worker_pb2 as pb
from finmesh.inference.v1 import worker_service_pb2 as service_pb

from router.domain.attempts import ENGINE_WRONG
from router.domain.fleet import Load, Role, Worker

_ROLES = {
    pb.WORKER_ROLE_PREFILL: Role.PREFILL,
    pb.WORKER_ROLE_DECODE: Role.DECODE,
    pb.WORKER_ROLE_GENERATE: Role.GENERATE,
}
_WORKING = {pb.WORKER_STATE_READY, pb.WORKER_STATE_PROBATION}
_SLOW = "ENGINE_SLOW"
_TIER = 0  # our engines keep what they cache in one place


def watch_request(positions: Iterable[tuple[str, str, int]]) -> service_pb.WatchWorkersRequest:
    """Return the message that asks for what comes after these (worker, incarnation, number of the last event)."""
    known = [service_pb.Position(worker_id=worker, incarnation=incarnation, seq=seq) for worker, incarnation, seq in positions]
    return service_pb.WatchWorkersRequest(positions=known)


def worker(message: pb.WorkerDescription) -> Worker | None:
    """Return what a worker is; None for a role that is not known here."""
    role = _ROLES.get(message.role)
    if role is None:
        return None
    return Worker(
        name=message.worker_id,
        incarnation=message.incarnation,
        role=role,
        model=message.model,
        model_digest=message.model_digest,
        layout_digest=message.layout_digest,
        rows=message.rows,
        max_len_tokens=message.max_len_tokens,
        highest_grade=message.highest_grade,
        price=message.price_per_hour_minor,
        token_bytes=message.token_bytes,
        accelerator=f"{message.vendor}/{message.device}",
        kind=message.kind,
        takes_text=message.takes_text,
        told=message.SerializeToString(),
    )


def load(message: pb.WorkerLoad, block_tokens: int) -> Load:
    """Return a worker's word. ``block_tokens``: prompts that it has still to read count in blocks, too."""
    is_slow = message.state == pb.WORKER_STATE_ISOLATED and message.reason == _SLOW
    return Load(
        blocks=message.decode_blocks + message.prefill_tokens / max(block_tokens, 1),
        queue=message.queued,
        rows_used=message.rows_used,
        tokens_per_s=message.prefill_tokens_per_s,
        step_ms=message.step_ms,
        is_ready=message.state in _WORKING or is_slow,
        is_isolated=message.state == pb.WORKER_STATE_ISOLATED and not is_slow,
        is_on_probation=message.state == pb.WORKER_STATE_PROBATION,
        is_wrong=message.state == pb.WORKER_STATE_ISOLATED and message.reason == ENGINE_WRONG,
        is_slow=is_slow,
        told=message.SerializeToString(),
    )


def stored(event: pb.KvEvent) -> list[tuple[bytes, int]]:
    """Return the blocks that came in, each with its tier."""
    return [(block, _TIER) for block in event.stored]
