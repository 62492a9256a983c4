"""What each field of an audit record may hold without being looked into, and how everything else is.

An audit record holds no plaintext personal data. A value of its field's alphabet (an id, a digest, a reason code) can't be any; every other
value is free text to us, whatever the field is called, and is searched. Texts of a kind come again and again, so they are looked at once.
"""

import re
from collections.abc import Callable, Mapping

from pii import find

MAX_PLAIN_NUMBER = 10**9 - 1  # nine digits: nothing shorter is an identifier without words around it
MAX_SECONDS = 4_102_444_800  # the year 2100; ten digits all the same, and eleven are a mobile number
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX = re.compile(r"(?=[0-9]*[a-f])[0-9a-f]{8,64}")
_CODE = re.compile(r"(?!(?:[^0-9]*[0-9]){6})[A-Z][A-Z0-9_]{0,63}")
_TEXT = re.compile(rb"(?:[\x09\x0a\x0d\x20-\x7e]|[\xc2-\xf4][\x80-\xbf]{1,3})*")

Alphabet = Callable[[object], bool]


def is_uuid(value: object) -> bool:
    """A UUID in its canonical form."""
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def is_hex(value: object) -> bool:
    """A digest in hex; one of digits alone is none, since a card would be one too."""
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def is_code(value: object) -> bool:
    """The name of an enum's value, or a reason: UPPER_SNAKE with few digits."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def is_digest(value: object) -> bool:
    """A keyed hash or a digest, 16 or 32 bytes that read as no text."""
    return isinstance(value, bytes) and len(value) in (16, 32) and _TEXT.fullmatch(value) is None


def is_seed(value: object) -> bool:
    """The eight bytes of a seed: too few for an identifier, whatever they spell."""
    return isinstance(value, bytes) and len(value) == 8


def is_measure(value: object) -> bool:
    """A measured quantity with fractions: milliseconds, joules."""
    return isinstance(value, float) and 0 <= value <= MAX_PLAIN_NUMBER


def is_number(value: object) -> bool:
    """A count, a version, an enum's value."""
    return isinstance(value, int) and 0 <= value <= MAX_PLAIN_NUMBER


def is_moment(value: object) -> bool:
    """Seconds since 1970."""
    return isinstance(value, int) and 0 <= value <= MAX_SECONDS


def free(value: object) -> bool:
    """Names and versions that people give: always searched."""
    return False


_RECORD: Mapping[str, Alphabet] = {
    "audit_record_id": is_uuid,
    "producer": free,
    "tenant": free,
    "scenario": free,
    "purpose": free,
    "principal_key": is_digest,
    "request_id": is_uuid,
    "decision_id": is_uuid,
    "decision_commitment": is_digest,
    "commitment_key_id": free,
    "feature_commitment": is_digest,
    "outcome": is_code,
    "reason_codes": is_code,
    "model_digest": is_hex,
    "model_version": free,
    "rule_set_version": free,
    "feature_schema_version": is_number,
    "degradations": is_code,
    "grade": is_number,
    "trace_id": is_digest,
    "policy_hash": is_digest,
    "build": free,
    "model_sha256": is_digest,
    "rules_sha256": is_digest,
    "thresholds_sha256": is_digest,
    "lost_before": is_number,
}
_GENERATION: Mapping[str, Alphabet] = {
    "Generation.generation_id": is_uuid,
    "Generation.budget_key": is_digest,
    "GenerationStarted.model": free,
    "GenerationStarted.tokenizer_sha256": is_digest,
    "GenerationStarted.release": is_hex,
    "GenerationStarted.prompt_tokens": is_number,
    "GenerationStarted.prompt_commitment": is_digest,
    "GenerationStarted.max_output_tokens": is_number,
    "GenerationStarted.grammar_commitment": is_digest,
    "GenerationStarted.stops": is_number,
    "GenerationStarted.tools": is_number,
    "GenerationStarted.tools_commitment": is_digest,
    "GenerationStarted.tool_choice": is_code,
    "GenerationStarted.standby_for": free,
    "GenerationStarted.standby_reason": is_code,
    "GenerationStarted.first_generation_id": is_uuid,
    "SamplingParameters.temperature": is_measure,
    "SamplingParameters.top_p": is_measure,
    "SamplingParameters.top_k": is_number,
    "SamplingParameters.seed": is_seed,
    "SamplingParameters.seed_given": is_number,
    "SamplingParameters.choices": is_number,
    "Routing.decode_worker": free,
    "Routing.decode_reason": is_code,
    "Routing.prefill_worker": free,
    "Routing.prefill_reason": is_code,
    "Routing.disaggregated": is_number,
    "Routing.reason": is_code,
    "RoutingScore.worker": free,
    "RoutingScore.cost_milli": is_number,
    "RoutingScore.cached_blocks": is_number,
    "RoutingScore.load_milli": is_number,
    "RoutingScore.queue_milli": is_number,
    "GenerationEnded.prefill_worker": free,
    "GenerationEnded.decode_worker": free,
    "GenerationEnded.disaggregated": is_number,
    "GenerationEnded.reason": is_code,
    "GenerationEnded.kv_integrity": is_number,
    "GenerationEnded.failovers": is_number,
    "GenerationEnded.continued": is_code,
    "GenerationEnded.error": is_code,
    "GenerationEnded.interrupted": is_number,
    "AnswerEnded.finish_reason": is_number,
    "AnswerEnded.output_tokens": is_number,
    "AnswerEnded.output_commitment": is_digest,
    "AnswerEnded.called": is_number,
    "AnswerEnded.calls_commitment": is_digest,
}
_RETRIEVAL: Mapping[str, Alphabet] = {
    "Retrieval.kind": is_number,
    "Retrieval.stage": is_number,
    "Retrieval.clearance": is_number,
    "Retrieval.groups": is_number,
    "Retrieval.barriers": is_number,
    "Retrieval.access_sha256": is_digest,
    "Retrieval.sequence": is_number,
    "Retrieval.known_at_sequence": is_number,
    "Retrieval.query_commitment": is_digest,
    "Retrieval.scope_commitment": is_digest,
    "Retrieval.conversation_key": is_digest,
    "Retrieval.answerer": free,
    "Retrieval.answer_commitment": is_digest,
    "Retrieval.forbidden_keys": is_digest,
    "Retrieval.refusal": is_code,
    "Retrieval.warnings": is_code,
    "Retrieval.configuration_sha256": is_digest,
    "Retrieval.generation_ids": is_uuid,
    "Retrieval.interrupted": is_number,
    "RetrievedPassage.document_key": is_digest,
    "RetrievedPassage.source_version": is_number,
    "RetrievedPassage.ordinal": is_number,
    "RetrievedPassage.passage_key": is_digest,
    "RetrievedPassage.text_sha256": is_digest,
    "RetrievedPassage.text_commitment": is_digest,
    "RetrievedPassage.cited": is_number,
    "RetrievedPassage.readable": is_number,
    "KnowledgeChange.action": is_number,
    "KnowledgeChange.document_key": is_digest,
    "KnowledgeChange.source_version": is_number,
    "KnowledgeChange.sequence": is_number,
    "KnowledgeChange.content_sha256": is_digest,
    "KnowledgeChange.grade": is_number,
    "KnowledgeChange.state": is_code,
    "KnowledgeChange.whom_key": is_digest,
    "KnowledgeChange.groups": is_number,
    "KnowledgeChange.barriers": is_number,
    "KnowledgeChange.commitment": is_digest,
}
_USAGE: Mapping[str, Alphabet] = {
    "prompt_tokens": is_number,
    "cached_tokens": is_number,
    "output_tokens": is_number,
    "shadow_tokens": is_number,
    "accelerator": free,
    "busy_ms": is_measure,
    "energy_j": is_measure,
    "energy_measured": is_number,
}
_AUDIT = "finmesh.audit.v1."
ALPHABETS: Mapping[str, Alphabet] = {f"{_AUDIT}AuditRecord.{name}": alphabet for name, alphabet in _RECORD.items()} | {
    **{f"{_AUDIT}{name}": alphabet for name, alphabet in (*_GENERATION.items(), *_RETRIEVAL.items())},
    **{f"finmesh.inference.v1.UsageFacts.{name}": alphabet for name, alphabet in _USAGE.items()},
    f"{_AUDIT}RefusedCalls.reason": is_code,
    f"{_AUDIT}RefusedCalls.method": free,
    f"{_AUDIT}RefusedCalls.workload": free,
    f"{_AUDIT}RefusedCalls.count": is_number,
    f"{_AUDIT}ListEntryChange.list": is_code,
    f"{_AUDIT}ListEntryChange.entity": is_code,
    f"{_AUDIT}ListEntryChange.entry_key": is_digest,
    f"{_AUDIT}ListEntryChange.commitment": is_digest,
    f"{_AUDIT}ListEntryChange.action": is_number,
    f"{_AUDIT}VersionChange.of": is_number,
    f"{_AUDIT}VersionChange.before_sha256": is_digest,
    f"{_AUDIT}VersionChange.after_sha256": is_digest,
    f"{_AUDIT}VersionChange.name": free,
    "google.protobuf.Timestamp.seconds": is_moment,
    "google.protobuf.Timestamp.nanos": is_number,
}


def holds_identifier(value: object) -> bool:
    """Whether a value that is of no alphabet holds an identifier of a person or a company, or a secret."""
    if isinstance(value, bytes):
        return bool(find(value.decode("utf-8", "replace")))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return abs(value) > MAX_PLAIN_NUMBER and bool(find(str(abs(value))))
    return bool(find(str(value)))
