"""The two audit records of a generation. Prompt and answers become commitments; what is written can be read by anybody.

An end repeats what the record of the start says of whose it is and under which policy: whoever closes a generation for a router that died
knows nothing else of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from finmesh.audit.v1.audit_record_pb2 import (
    KV_INTEGRITY_CHECKSUM,
    KV_INTEGRITY_ENGINE,
    KV_INTEGRITY_UNSPECIFIED,
    AuditRecord,
    GenerationEnded,
    Routing,
    RoutingScore,
)
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_INTERRUPTED
from google.protobuf.message import DecodeError
from meshkit.audit.denials import principal_key
from meshkit.audit.records import AuditRecords
from meshkit.clock import Clock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.keyed_ids import uuid_bytes, uuid_text
from meshkit.crypto.ring import Ring
from meshkit.errors import DataCorrupted

from router.domain.evidence import Checkpoint, RecordBytes
from router.domain.generation import EndFacts, Score, StartFacts, Usage

STARTED, ENDED = "generation-started", "generation-ended"
MAX_SCORES = 8
_MAX_NUMBER = 999_999_999
_INTEGRITY = {"": KV_INTEGRITY_UNSPECIFIED, "CHECKSUM": KV_INTEGRITY_CHECKSUM, "ENGINE": KV_INTEGRITY_ENGINE}


class GenerationCodec:
    """See ``ports.RecordCodec``. ``commitments``: the key of commitments to prompts and answers, and of principals."""

    def __init__(self, records: AuditRecords, commitments: Ring[CommitmentKey], clock: Clock) -> None:
        self._records = records
        self._commitments = commitments
        self._clock = clock

    def started(self, facts: StartFacts) -> RecordBytes:
        """Return the record of a start, in the present trace."""
        asked, key = facts.request, self._commitments.primary
        record = self._records.new(asked.tenant)
        record.audit_record_id = record_id(STARTED, facts.generation_id)
        record.scenario, record.purpose, record.policy_hash = asked.scenario, asked.purpose, asked.policy_hash
        record.request_id = asked.request_id or facts.generation_id
        record.grade = asked.grade  # type: ignore[assignment]
        record.commitment_key_id = key.id
        if asked.principal:
            record.principal_key = principal_key(key, asked.tenant, asked.principal)
        record.model_sha256 = facts.model_digest
        record.generation.generation_id, record.generation.budget_key = facts.generation_id, asked.budget_key
        started = record.generation.started
        started.model, started.release, started.tokenizer_sha256 = facts.model, facts.release, facts.tokenizer_digest
        started.prompt_tokens, started.prompt_commitment = len(facts.prompt_tokens), _commitment(key, facts.prompt_tokens)
        started.max_output_tokens, started.stops = facts.max_output_tokens, len(asked.stop)
        if asked.json_schema:
            started.grammar_commitment = key.commit(asked.json_schema.encode())
        if facts.tools:
            started.tools, started.tools_commitment = len(facts.tools), key.commit(_json(facts.tools))
            started.tool_choice = asked.tool_choice.name
        sampling = started.sampling
        sampling.temperature, sampling.top_p, sampling.top_k = asked.sampling.temperature, asked.sampling.top_p, asked.sampling.top_k
        sampling.seed, sampling.seed_given = facts.seed.to_bytes(8, "big"), asked.is_seed_set
        sampling.choices = asked.sampling.choices
        started.routing.CopyFrom(_routing(facts))
        if (instead := facts.instead) is not None:
            started.standby_for, started.standby_reason, started.first_generation_id = instead.model, instead.reason, instead.generation_id
        return RecordBytes(record.audit_record_id, record.SerializeToString())

    def ended(self, facts: EndFacts, started: bytes) -> RecordBytes:
        """Return the record of an end, of now."""
        record = _ending(started, facts.generation_id)
        key = self._key_of(record)
        record.decided_time.FromMicroseconds(int(self._clock.now_s() * 1_000_000))
        made = facts.provenance
        record.degradations.extend(made.degradations)
        ended = record.generation.ended
        for answer in sorted(facts.finished, key=lambda each: each.choice):
            tokens = facts.output_tokens[answer.choice] if answer.choice < len(facts.output_tokens) else ()
            made_answer = ended.answers.add(
                finish_reason=answer.reason.value,
                output_tokens=answer.output_tokens,
                output_commitment=_commitment(key, tokens),
            )
            if called := facts.called[answer.choice] if answer.choice < len(facts.called) else ():
                made_answer.called.extend(facts.offered.index(call.name) for call in called)
                made_answer.calls_commitment = key.commit(_json(called))
        _use(ended, facts.usage)
        ended.prefill_worker, ended.decode_worker = made.prefill_worker, made.decode_worker
        ended.disaggregated, ended.reason, ended.failovers = made.is_disaggregated, made.reason, made.failovers
        ended.kv_integrity = _INTEGRITY[made.integrity]
        ended.continued.extend(made.continued)
        ended.error = facts.error
        return RecordBytes(record.audit_record_id, record.SerializeToString())

    def _key_of(self, record: AuditRecord) -> CommitmentKey:
        """Return the key of the start's record: both name principal and key alike. The primary when it was retired meanwhile."""
        key = self._commitments.get(record.commitment_key_id)
        if key is None:
            key = self._commitments.primary
            record.commitment_key_id = key.id
            record.ClearField("principal_key")
        return key

    def interrupted(self, last: Checkpoint, started: bytes) -> RecordBytes:
        """Return the record of an end that its owner did not write."""
        record = _ending(started, last.generation_id)
        begun = _parsed(started).generation.started
        record.decided_time.FromMicroseconds(last.at_us)
        ended = record.generation.ended
        for _ in range(begun.sampling.choices):
            alone = last.output_tokens if begun.sampling.choices == 1 else 0
            ended.answers.add(finish_reason=FINISH_REASON_INTERRUPTED, output_tokens=alone)
        ended.usage.prompt_tokens, ended.usage.output_tokens = begun.prompt_tokens, last.output_tokens
        ended.prefill_worker, ended.decode_worker = begun.routing.prefill_worker, begun.routing.decode_worker
        ended.disaggregated, ended.reason = begun.routing.disaggregated, begun.routing.reason
        ended.interrupted = True
        return RecordBytes(record.audit_record_id, record.SerializeToString(deterministic=True))


def record_id(kind: str, generation_id: str) -> str:
    """Return the UUIDv8 (RFC 9562) of a generation's record. No key: a generation's id is random, and its records name it."""
    raw = bytearray(blake2b(kind.encode() + b"\x00" + uuid_bytes(generation_id), digest_size=16).digest())
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    return uuid_text(bytes(raw))


def _ending(started: bytes, generation_id: str) -> AuditRecord:
    record = _parsed(started)
    record.audit_record_id = record_id(ENDED, generation_id)
    record.generation.ClearField("started")
    record.generation.ended.SetInParent()
    return record


def _parsed(started: bytes) -> AuditRecord:
    try:
        return AuditRecord.FromString(started)
    except (DecodeError, UnicodeDecodeError):
        raise DataCorrupted("the record of a start is no record", reason="EVIDENCE_CORRUPTED") from None


def _json(content: Sequence[Sequence[object]]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _commitment(key: CommitmentKey, tokens: Sequence[int]) -> bytes:
    return key.commit(np.asarray(tokens, dtype="<u4").tobytes())


def _routing(facts: StartFacts) -> Routing:
    routing = Routing(decode_worker=facts.decode.worker, decode_reason=facts.decode.reason, reason=facts.reason)
    if facts.prefill is not None:
        routing.prefill_worker, routing.prefill_reason, routing.disaggregated = facts.prefill.worker, facts.prefill.reason, True
    routing.scores.extend(_scores(facts.decode.scores[:MAX_SCORES]))
    return routing


def _scores(scores: Iterable[Score]) -> Iterable[RoutingScore]:
    for score in scores:
        yield RoutingScore(
            worker=score.worker,
            cost_milli=_milli(score.cost),
            cached_blocks=score.cached_blocks,
            load_milli=_milli(score.load_blocks),
            queue_milli=_milli(score.queue),
        )


def _milli(value: float) -> int:
    """Return thousandths; what is beyond all bounds is the bound."""
    if math.isnan(value):
        return _MAX_NUMBER
    return round(min(max(value, 0.0) * 1000, _MAX_NUMBER))


def _use(ended: GenerationEnded, usage: Usage) -> None:
    ended.usage.prompt_tokens, ended.usage.cached_tokens = usage.prompt_tokens, usage.cached_tokens
    ended.usage.output_tokens, ended.usage.shadow_tokens = usage.output_tokens, usage.shadow_tokens
    ended.usage.accelerator, ended.usage.busy_ms = usage.accelerator, usage.busy_ms
    ended.usage.energy_j, ended.usage.energy_measured = usage.energy_j, usage.is_energy_measured
