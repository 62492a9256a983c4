"""Settings of rag: ``FINMESH_...``, two processes, each of which has what it uses."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from meshkit.config import KafkaSettings, Milliseconds, MilvusSettings, ProducerKeys, Seconds, ServiceConfig, TritonSettings
from pydantic import BaseModel, ConfigDict, Field, SecretStr

SERVICE = "rag"


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderSettings(TritonSettings):
    """What makes vectors of texts: a Triton of its own."""

    model: Path | None = Field(
        default=None, description="folder of the encoder: manifest and tokenizer; none: the lexical leg stands alone"
    )
    url: str = Field(default="127.0.0.1:18031", description="host:port of its Triton's gRPC endpoint")
    timeout_ms: Milliseconds = Field(default=10_000, description="one batch; a question waits a tenth of it at most")


class LedgerSettings(_Group):
    """The one truth about documents, and what lies beside it."""

    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///var/rag/ledger.db"),
        description="sqlite:///relative/path, sqlite:////absolute/path (one host) or postgresql://user:password@host/name",
    )
    blobs: Path = Field(default=Path("var/rag/blobs"), description="folder of sealed originals, which all processes of rag share")


class ReaderSettings(_Group):
    """What answers."""

    index: Path = Field(
        default=Path("var/rag/index"), description="folder of this process's lexical indexes; it can be deleted: it is made anew"
    )
    catch_up_s: Seconds = Field(default=5.0, description="how long a request waits for min_sequence")
    candidates: int = Field(default=100, ge=10, le=1_000, description="passages of each leg that are fused")


class IngestSettings(_Group):
    """What reads documents."""

    parsers: int = Field(default=1, ge=1, le=64, description="documents that are read side by side")
    ocr: bool = Field(default=True, description="read scanned pages and images")
    grades: Path = Field(
        default_factory=lambda: Path(str(files("rag") / "grades.yaml")),
        description="grade of each kind of identifier that passages can hold; another table means that every document is read again",
    )
    lease_s: Seconds = Field(default=10.0, description="a leader that is silent this long is replaced")
    attempts: int = Field(default=3, ge=1, le=100, description="how often a document that took its parser down is tried")
    chunk_pieces: int = Field(
        default=400, ge=32, le=480, description="word pieces of a passage at most, estimated from above: about 256 real ones"
    )


class RagKeys(ProducerKeys):
    """What seals text and originals, and what stands for them in records."""

    seal: Path | None = Field(default=None, description="key ring that seals documents, passages, questions")
    commitment: Path | None = Field(default=None, description="key ring of commitments to questions and answers, and of blob names")


class RpcConfig(ServiceConfig):
    """All settings of `rag-rpc`."""

    callers: frozenset[str] = Field(default=frozenset({"gateway"}), description="workloads that may call, a JSON list")
    upstream: dict[str, str] = Field(default={}, description="gRPC target of the router, for scenarios whose answerer is a served model")
    scenarios: Path = Field(
        default_factory=lambda: Path(str(files("rag") / "scenarios.yaml")),
        description="scenarios: who answers, from how many passages, with which bounds; read again when it changes",
    )
    kafka: KafkaSettings = KafkaSettings()
    encoder: EncoderSettings = EncoderSettings()
    milvus: MilvusSettings = MilvusSettings()
    ledger: LedgerSettings = LedgerSettings()
    reader: ReaderSettings = ReaderSettings()
    keys: RagKeys = RagKeys()


class IngestConfig(ServiceConfig):
    """All settings of `rag-ingest`."""

    callers: frozenset[str] = Field(default=frozenset(), description="workloads that may call, a JSON list: nobody does")
    kafka: KafkaSettings = KafkaSettings()
    encoder: EncoderSettings = EncoderSettings()
    milvus: MilvusSettings = MilvusSettings()
    ledger: LedgerSettings = LedgerSettings()
    ingest: IngestSettings = IngestSettings()
    keys: RagKeys = RagKeys()
