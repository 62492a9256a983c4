"""A request for a decision, the decision before it is bytes, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from meshkit.errors import Conflict, DataCorrupted, MeshError

from risk_scoring.domain.observation import Observation, RecordPlace
from risk_scoring.domain.transaction import Transaction

# Values of finmesh.risk.v1.Degradation; tests/contract holds them together.
MODEL_IN_PROCESS, RULES_ONLY, NO_FEATURES, DEADLINE, OLD_SCHEMA, MODEL_SERVED = 1, 2, 3, 4, 5, 6


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks and for what. Empty for streamed events: the stream's own purpose applies."""

    request_id: str = ""
    principal: str = ""
    purpose: str = "fraud-prevention"
    policy_hash: bytes = b""


STREAM = Asker()


@dataclass(frozen=True, slots=True)
class Request:
    """One transaction that wants a decision."""

    transaction: Transaction
    observation: Observation
    trace: tuple[int, int, bool]  # trace id, span id, sampled
    asker: Asker = STREAM
    partition: int = -1  # input partition, -1 for a synchronous request
    offset: int = -1

    @property
    def trace_id(self) -> bytes:
        """16 bytes of the trace id."""
        return self.trace[0].to_bytes(16, "big")

    @property
    def decision_id(self) -> bytes:
        """16 bytes; equal for every arrival of the same transaction."""
        return self.observation.decision_id


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of what decided, 32 bytes each: the model's graph (empty without one), the rule set's file, ``ChannelPolicies.sha256``."""

    model: bytes = b""
    rules: bytes = b""
    thresholds: bytes = b""


@dataclass(frozen=True, slots=True)
class Versions:
    """What decided."""

    feature_schema: int
    rule_set: str
    model: str
    rates: str
    digests: Digests = Digests()

    @property
    def model_digest(self) -> str:
        """The first 64 bits of the model's digest in hex: what a decision record has of it."""
        return self.digests.model.hex()[:16]


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision before it is bytes. Outcomes and modes are the numbers of finmesh.risk.v1."""

    request: Request
    mode: int
    outcome: int
    recommended: int
    score: float | None  # rounded to six decimals
    reasons: tuple[tuple[str, float], ...]
    rule_hits: tuple[str, ...]
    thresholds: tuple[float, float, float]
    versions: Versions
    degradations: tuple[int, ...]
    features: bytes  # little-endian float32, empty when the store was down
    decided_time_s: float
    capped: bool = False
    blocked: bool = False  # an entity is on the block list
    trusted: bool = False  # the customer trusts the counterparty


class DecisionUnreadable(DataCorrupted):
    """It was decided, and the record of the decision is gone: it is never decided again (rule D25)."""

    default_reason = "DECISION_UNREADABLE"

    def __init__(self) -> None:
        super().__init__("it was decided before, and the record can't be read any more")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request: the bytes that hold, wherever they came from. No bytes: see ``refusal`` and ``place``."""

    request: Request
    decision: bytes
    audit: bytes
    replayed: bool = False
    conflict: bool = False  # same id, other fingerprint
    friction: bool = False  # this very decision asks for more than approve
    place: RecordPlace | None = None  # decided, and the bytes have to be read there (rule D25)

    @property
    def refusal(self) -> MeshError:
        """Why there are no bytes, and will be none."""
        return Conflict("the same transaction came with other content") if self.conflict else DecisionUnreadable()
