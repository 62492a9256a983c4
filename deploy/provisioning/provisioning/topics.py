"""deploy/topics.yaml: every topic of the mesh, as data.

topics:
  - name: finmesh.risk.v1.TransactionDecided     # without the prefix of an environment or test
    message: finmesh.risk.v1.TransactionDecided  # what is in it
    key: account_id                              # the entity whose order matters
    partitions: 4
    retention_ms: 604800000                      # or cleanup_policy: compact
    writers: [risk-scoring]
    readers: [audit]
    dead_letter: true                            # also make <name>.dead-letter, one partition, kept 30 days
    description: The decision record.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meshkit.errors import InvalidDocument
from pydantic import BaseModel, ConfigDict, Field, model_validator

from provisioning.documents import read

FILE = Path(__file__).resolve().parents[2] / "topics.yaml"
DEAD_LETTER = ".dead-letter"
DEAD_LETTER_RETENTION_MS = 30 * 24 * 3600 * 1000


class Topic(BaseModel):
    """One entry of the file. Unknown fields are refused, so that a typing error is not silently a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9.-]{1,200}$", description="no underscore: Kafka's metrics cannot tell it from a dot")
    partitions: int = Field(ge=1, le=1024)
    retention_ms: int | None = Field(default=None, ge=1)
    cleanup_policy: Literal["delete", "compact"] = "delete"
    key: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    message: str
    dead_letter: bool = False
    description: str = ""

    @model_validator(mode="after")
    def _kept_for_how_long(self) -> "Topic":
        if (self.cleanup_policy == "delete") != (self.retention_ms is not None):
            raise ValueError(f"{self.name}: retention_ms for a topic whose messages expire, and only there")
        return self


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic as the broker is to have it."""

    name: str
    partitions: int
    config: dict[str, str]


class TopicFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topics: tuple[Topic, ...]


def load(file: Path) -> tuple[Topic, ...]:
    """Entries of the file. Raises InvalidDocument that names file and place."""
    topics = read(file, TopicFile).topics
    names = [topic.name for topic in topics]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidDocument(f"{file}: names {', '.join(twice)} twice")
    return topics


def wanted(topics: Iterable[Topic], prefix: str) -> list[Wanted]:
    """What has to exist on the broker, dead letter topics included."""
    found: list[Wanted] = []
    for topic in topics:
        config: dict[str, str] = {"cleanup.policy": topic.cleanup_policy}
        if topic.retention_ms is not None:
            config["retention.ms"] = str(topic.retention_ms)
        found.append(Wanted(prefix + topic.name, topic.partitions, config))
        if topic.dead_letter:
            kept = {"cleanup.policy": "delete", "retention.ms": str(DEAD_LETTER_RETENTION_MS)}
            found.append(Wanted(prefix + topic.name + DEAD_LETTER, 1, kept))
    return found
