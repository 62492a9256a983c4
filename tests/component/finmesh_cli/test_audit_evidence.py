"""`finmesh audit evidence`: what decided, beside files that somebody vouches for. And what other records say."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from finmesh.audit.v1.audit_record_pb2 import (
    LIST_ACTION_SET,
    VERSIONED_CHANNELS,
    VERSIONED_POLICIES,
    VERSIONED_RULES,
    AuditRecord,
    Change,
    Denial,
    Generation,
    GenerationEnded,
    GenerationStarted,
    KnowledgeChange,
    ListEntryChange,
    RefusedCalls,
    Retrieval,
    RetrievedPassage,
    VersionChange,
)
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_STOP, UsageFacts
from finmesh_cli import show
from finmesh_cli.__main__ import app
from finmesh_cli.settings import Language
from rich.console import Console
from typer.testing import CliRunner, Result

from .conftest import AuditLog

CHANNELS, CARD = b"version: '1'\n", b'{"thresholds": {}}'
THRESHOLDS = sha256(sha256(CHANNELS).digest() + sha256(CARD).digest()).digest()


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """Released files, in folders with Chinese names and spaces."""
    folder = tmp_path / "已发布 模型" / "fraud" / "1"
    folder.mkdir(parents=True)
    for name, content in {"model.onnx": b"graph", "rules.json": b"rules", "channels.yaml": CHANNELS, "card.json": CARD}.items():
        (folder / name).write_bytes(content)
    return tmp_path / "已发布 模型"


def evidence(log: AuditLog, *known: Path) -> Result:
    return CliRunner().invoke(app, ["audit", "evidence", str(log.path), *map(str, known)])


def decided(number: int, **fields: object) -> AuditRecord:
    """A record of a decision by the known files."""
    by = {"model_sha256": sha256(b"graph").digest(), "rules_sha256": sha256(b"rules").digest(), "thresholds_sha256": THRESHOLDS}
    return AuditRecord(audit_record_id=f"a-{number}", decision_id=f"d-{number}", tenant="bank-a", **(by | fields))  # type: ignore[arg-type]


def test_what_is_known_decided(audit_log: AuditLog, known: Path) -> None:
    audit_log.write(*(decided(number) for number in range(3)), decided(3, model_sha256=b""))
    result = evidence(audit_log, known)
    assert result.exit_code == 0, result.output
    for name in ("model.onnx", "rules.json", "channels.yaml with ", "none stated"):
        assert name in result.output
    assert "UNKNOWN" not in result.output


@pytest.mark.parametrize("field", ["model_sha256", "rules_sha256", "thresholds_sha256"])
def test_one_decision_by_something_else_is_found(audit_log: AuditLog, known: Path, field: str) -> None:
    audit_log.write(*(decided(number) for number in range(20)), decided(20, **{field: b"\x07" * 32}))
    result = evidence(audit_log, known)
    assert result.exit_code == 1
    assert "UNKNOWN" in result.output
    assert result.stderr == "finmesh: 1 digests are of no known file\n"


def test_leaves_from_before_are_compared_by_what_they_have(audit_log: AuditLog, known: Path) -> None:
    before = {"model_sha256": b"", "rules_sha256": b"", "thresholds_sha256": b""}
    audit_log.write(decided(1, **before, model_digest=sha256(b"graph").hexdigest()[:16]))
    assert evidence(audit_log, known).exit_code == 0
    audit_log.write(decided(2, **before, model_digest="9f86d081884c7d65"))
    assert evidence(audit_log, known).exit_code == 1


@pytest.mark.parametrize(("of", "digest"), [(VERSIONED_RULES, sha256(b"rules").digest()), (VERSIONED_CHANNELS, THRESHOLDS)])
def test_a_version_that_was_in_force_without_deciding_counts_too(audit_log: AuditLog, known: Path, of: int, digest: bytes) -> None:
    def change(number: int, of: int, after: bytes) -> AuditRecord:
        version = VersionChange(of=of, after_sha256=after)  # type: ignore[arg-type]
        return AuditRecord(audit_record_id=f"c-{number}", tenant="finmesh", change=Change(version=version))

    audit_log.write(change(1, of, digest), change(2, VERSIONED_POLICIES, b"\x01" * 32), change(3, of, b""))
    assert evidence(audit_log, known).exit_code == 0
    audit_log.write(change(4, of, b"\x02" * 32))
    assert evidence(audit_log, known).exit_code == 1


def test_files_that_are_not_there_are_a_wrong_use(audit_log: AuditLog, tmp_path: Path) -> None:
    audit_log.write(decided(1))
    result = evidence(audit_log, tmp_path / "不存在")
    assert result.exit_code == 2
    assert "不存在 cannot be read" in result.stderr


GENERATION = "0198c1d2-7a3b-7c4d-8e5f-60718293a4b5"
MANIFEST = b'{\n  "version": 1,\n  "name": "tiny"\n}\n'


def generated(**fields: bytes) -> tuple[AuditRecord, AuditRecord]:
    """The two records of one generation."""
    model = sha256(b'{"name":"tiny","version":1}').digest()
    started = GenerationStarted(
        model="tiny-llama", tokenizer_sha256=sha256(b"tokenizer").digest(), prompt_tokens=7, max_output_tokens=64, stops=1
    )
    started.sampling.seed, started.sampling.choices, started.sampling.temperature = (42).to_bytes(8, "big"), 1, 0.7
    started.routing.decode_worker, started.routing.decode_reason = "decode-0/0", "CHEAPEST"
    started.routing.prefill_worker, started.routing.disaggregated, started.routing.reason = "prefill-0/0", True, "ALWAYS"
    started.tools, started.tool_choice, started.tools_commitment = 3, "AUTO", b"\x0d" * 32
    started.routing.scores.add(worker="decode-1/0", cost_milli=2_500)
    ended = GenerationEnded(usage=UsageFacts(prompt_tokens=7, output_tokens=5, busy_ms=12.5, energy_j=1.5), failovers=1, disaggregated=True)
    ended.answers.add(
        finish_reason=FINISH_REASON_STOP, output_tokens=5, output_commitment=b"\x0c" * 32, called=[2, 0], calls_commitment=b"\x0e" * 32
    )
    ended.kv_integrity, ended.reason = 1, "ALWAYS"
    ended.continued.append("DECODE_DIED")
    first = AuditRecord(audit_record_id="g-1", tenant="bank-a", model_sha256=fields.get("model", model))
    first.generation.CopyFrom(Generation(generation_id=GENERATION, started=started))
    second = AuditRecord(audit_record_id="g-2", tenant="bank-a", degradations=["PREFILL_DOWN"])
    second.generation.CopyFrom(Generation(generation_id=GENERATION, ended=ended))
    return first, second


def test_a_language_model_is_known_by_its_manifest(audit_log: AuditLog, known: Path) -> None:
    (known / "manifest.json").write_bytes(MANIFEST)
    (known / "tokenizer.json").write_bytes(b"tokenizer")
    audit_log.write(*generated())
    result = evidence(audit_log, known)
    assert result.exit_code == 0, result.output
    assert "manifest.json" in result.output and "tokenizer.json" in result.output and "none stated" not in result.output


@pytest.mark.parametrize("missing", ["manifest.json", "tokenizer.json"])
def test_a_language_model_that_nobody_vouches_for_is_found(audit_log: AuditLog, known: Path, missing: str) -> None:
    (known / "manifest.json").write_bytes(MANIFEST)
    (known / "tokenizer.json").write_bytes(b"tokenizer")
    (known / missing).write_bytes(b'{"another": 1}')
    audit_log.write(*generated())
    assert evidence(audit_log, known).exit_code == 1


@pytest.mark.parametrize("language", list(Language))
def test_generations_are_told(language: Language) -> None:
    out = Console(record=True, width=200)
    for record in generated():
        show.audited(out, record, language)
    told = out.export_text()
    for fact in (GENERATION, "tiny-llama", "seed 42 (drawn)", "temperature 0.7", "prefill-0/0", "cost 2.5", "CHEAPEST", "ALWAYS CHECKSUM"):
        assert fact in told
    for fact in ("3  AUTO, " + "0d" * 32, "#3, #1  " + "0e" * 32):
        assert fact in told
    for fact in ("STOP  5 tokens, " + "0c" * 32, "7 prompt (0 cached), 5 output", "12.5 ms, 1.5 J", "1  DECODE_DIED", "PREFILL_DOWN"):
        assert fact in told
    assert ("采样" in told) == (language is Language.ZH)


def test_generations_are_listed_apart(audit_log: AuditLog) -> None:
    denial = Denial(refused=[RefusedCalls(reason="TOKEN_MISSING", count=3)])
    audit_log.write(decided(1), *generated(), AuditRecord(audit_record_id="n-1", tenant="finmesh", denial=denial))
    events = CliRunner().invoke(app, ["audit", "events", str(audit_log.path)]).output
    assert "n-1" in events and "g-1" not in events
    for arguments in ([], ["--id", GENERATION], ["--tenant", "bank-a"]):
        listed = CliRunner().invoke(app, ["audit", "generations", str(audit_log.path), *arguments]).output
        assert [word for word in ("g-1", "g-2", "n-1", "a-1") if word in listed] == ["g-1", "g-2"]
    assert not CliRunner().invoke(app, ["audit", "generations", str(audit_log.path), "--tenant", "bank-b"]).output


def looked_up() -> tuple[AuditRecord, AuditRecord]:
    """A look into documents, and a change of one."""
    seen = RetrievedPassage(document_key=b"\x1a" * 16, source_version=3, ordinal=7, text_sha256=b"\x1b" * 32, cited=True, readable=True)
    hidden = RetrievedPassage(document_key=b"\x1c" * 16, ordinal=2)
    retrieval = Retrieval(kind=1, stage=1, clearance=2, groups=4, sequence=41, query_commitment=b"\x1d" * 32, refusal="NOT_SUPPORTED")
    retrieval.passages.extend([seen, hidden])
    retrieval.forbidden_keys.append(b"\x1e" * 16)
    retrieval.warnings.append("REVIEW_DUE")
    changed = KnowledgeChange(action=1, whom_key=b"\x1f" * 32, groups=2, barriers=1, grade=3, commitment=b"\x2a" * 32)
    return (
        AuditRecord(audit_record_id="k-1", tenant="bank-a", retrieval=retrieval),
        AuditRecord(audit_record_id="k-2", tenant="bank-a", change=Change(knowledge=changed)),
    )


@pytest.mark.parametrize("language", list(Language))
def test_looks_into_documents_and_their_changes_are_told(language: Language) -> None:
    out = Console(record=True, width=200)
    for record in looked_up():
        show.audited(out, record, language)
    told = out.export_text()
    for fact in ("ASK  WHOLE", "clearance L2, groups 4", "1a" * 16 + " version 3 #7  cited  " + "1b" * 32, "1d" * 32, "NOT_SUPPORTED"):
        assert fact in told
    for fact in (
        "1c" * 16 + " version - #2  not readable",
        "1e" * 16,
        "REVIEW_DUE",
        "GRANT  L3",
        "1f" * 32 + "  groups 2, barriers 1",
        "2a" * 32,
    ):
        assert fact in told
    assert ("指名而无权查阅" in told) == (language is Language.ZH)


def test_looks_are_listed_apart(audit_log: AuditLog) -> None:
    audit_log.write(decided(1), *looked_up())
    listed = CliRunner().invoke(app, ["audit", "lookups", str(audit_log.path)]).output
    assert "k-1" in listed and "k-2" not in listed and "a-1" not in listed
    assert not CliRunner().invoke(app, ["audit", "lookups", str(audit_log.path), "--tenant", "bank-b"]).output
    assert "k-2" in CliRunner().invoke(app, ["audit", "events", str(audit_log.path)]).output


@pytest.mark.parametrize("language", list(Language))
def test_refused_calls_and_changes_are_told(language: Language) -> None:
    out = Console(record=True, width=200)
    refused = RefusedCalls(reason="POLICY_DENIED", method="ChangeListEntry", workload="client", count=12)
    entry = ListEntryChange(list="LIST_KIND_BLOCK", entity="LISTED_ENTITY_ACCOUNT", entry_key=b"\x0a" * 16, action=LIST_ACTION_SET)
    version = VersionChange(of=VERSIONED_RULES, before_sha256=b"\x01" * 32, after_sha256=b"\x02" * 32)
    for record in (
        AuditRecord(denial=Denial(refused=[refused]), lost_before=7, principal_key=b"\x0b" * 16),
        AuditRecord(change=Change(list_entry=entry)),
        AuditRecord(change=Change(version=version)),
    ):
        show.audited(out, record, language)
    told = out.export_text()
    for fact in (
        "POLICY_DENIED ChangeListEntry client x12",
        "7",
        "0b" * 16,
        "LIST_KIND_BLOCK",
        "0a" * 16,
        "LIST_ACTION_SET",
        "01" * 32,
        "02" * 32,
    ):
        assert fact in told
    assert ("被拒调用" in told) == (language is Language.ZH)


def test_denials_and_changes_are_listed_and_decisions_are_not(audit_log: AuditLog) -> None:
    denial = Denial(refused=[RefusedCalls(reason="TOKEN_MISSING", count=3)])
    version = VersionChange(of=VERSIONED_RULES, after_sha256=b"\x02" * 32)
    audit_log.write(
        decided(1),
        AuditRecord(audit_record_id="n-1", tenant="finmesh", denial=denial),
        AuditRecord(audit_record_id="c-1", tenant="finmesh", change=Change(version=version)),
        AuditRecord(audit_record_id="n-2", tenant="bank-a", denial=denial),
    )
    listed = CliRunner().invoke(app, ["audit", "events", str(audit_log.path)]).output
    assert [word for word in ("n-1", "c-1", "n-2", "a-1") if word in listed] == ["n-1", "c-1", "n-2"]
    assert listed.index("n-1") < listed.index("c-1") and "TOKEN_MISSING x3" in listed
    one = CliRunner().invoke(app, ["audit", "events", str(audit_log.path), "--tenant", "bank-a"]).output
    assert "n-2" in one and "n-1" not in one
