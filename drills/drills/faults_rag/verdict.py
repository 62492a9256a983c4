"""What became of every version, and whether that fits. Pure but for `Tally`, which gathers rounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import pairwise

from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import events_pb2 as events

from drills.faults_rag.plan import Handed, Plan

Place = tuple[str, str, int]
FINDABLE = ("VISIBLE", "PARTIAL")


@dataclass(frozen=True, slots=True)
class Stands:
    """How a version stands, by the door. ``never``: a newer one had replaced it before it came."""

    state: str
    reason: str
    never: bool = False

    @classmethod
    def of(cls, version: documents.DocumentVersion) -> Stands:
        """Of the door's own message."""
        state = documents.VersionState.Name(version.state).removeprefix("VERSION_STATE_")
        return cls(state, version.reason, never=0 < version.from_sequence == version.to_sequence)


def fits(handed: Handed, stands: Stands, plan: Plan) -> bool:
    """Whether a version came to an end that fits what it is and what was done to it."""
    tenant, document, version = handed.place
    if version <= plan.withdrawn.get((tenant, document), 0):
        return stands.state == "WITHDRAWN"
    if stands.never and not any(other[:2] == (tenant, document) and other[2] > version for other in plan.handed):
        return False
    return (stands.state, stands.reason) in handed.ends


def is_to_be_found(handed: Handed, stands: Stands) -> bool:
    """Whether somebody must find it by its own words; otherwise, unless it is poison, nobody may."""
    return stands.state in FINDABLE and not stands.never and handed.demand.is_anybodys and not handed.is_poison


def contradictions(told: Iterable[events.DocumentStateChanged], stood: Mapping[Place, Stands]) -> list[str]:
    """What the event log says otherwise: out of order, or another end than what stands. Repeats are no contradiction.

    ``told``: in the order in which each document's events were read.
    """
    by_document: dict[tuple[str, str], list[events.DocumentStateChanged]] = {}
    for event in told:
        by_document.setdefault((event.tenant, event.document_id), []).append(event)
    found = []
    last: dict[Place, events.DocumentStateChanged] = {}
    for (tenant, document), each in by_document.items():
        seen = list(dict.fromkeys(event.sequence for event in each))
        if any(before >= after for before, after in pairwise(seen)):
            found.append(f"events of {document} are out of order: {seen}")
        for event in sorted(each, key=lambda event: event.sequence):
            last[tenant, document, event.source_version] = event
    for place, stands in stood.items():
        if stands.never:
            continue
        event_ = last.get(place)
        said = documents.VersionState.Name(event_.state).removeprefix("VERSION_STATE_") if event_ else "nothing"
        if said != stands.state:
            found.append(f"the last event of {place} says {said}, it is {stands.state}")
    return found


def unrecorded(handed: Mapping[Place, Handed], stood: Mapping[Place, Stands], published: Set[tuple[str, bytes, int]]) -> list[str]:
    """What can be found and no record says so. ``published``: tenant, SHA-256 of the original, version."""
    visible = [handed[place] for place, stands in stood.items() if stands.state in FINDABLE and not stands.never]
    missing = [each for each in visible if (each.tenant, sha256(each.content).digest(), each.place[2]) not in published]
    return [f"no audit record says that {each.place} can be found" for each in missing]


@dataclass(slots=True)
class Tally:
    """Rounds so far; what a resumed campaign goes on from."""

    rounds: int = 0
    documents: int = 0
    versions: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    leaked: int = 0
    stuck: int = 0
    unequal: int = 0
    contradicted: int = 0
    unaudited: int = 0
    asked: int = 0
    answered: int = 0
    away: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add a round."""
        for name, value in asdict(other).items():
            mine = getattr(self, name)
            if isinstance(mine, dict):
                for key, count in value.items():
                    mine[key] = mine.get(key, 0) + count
            else:
                setattr(self, name, mine + value)

    @property
    def broken(self) -> list[str]:
        """What did not hold, as sentences."""
        return self.findings

    @property
    def held(self) -> bool:
        """Whether every promise held."""
        faults = self.lost, self.leaked, self.stuck, self.unequal, self.contradicted, self.unaudited
        return self.rounds > 0 and not any(faults) and not self.findings

    def as_json(self) -> dict[str, object]:
        """The last line of the campaign."""
        names = ("lost", "leaked", "stuck")
        more = ("versions", "contradicted", "unaudited", "asked", "answered", "away", "ends")
        return {
            "documents": self.documents,
            "kills": sum(self.kills.values()),
            **{name: getattr(self, name) for name in names},
            "rebuilt_equal": self.rounds > 0 and not self.unequal,
            **{name: getattr(self, name) for name in more},
            "by_kind": self.kills,
        }

    def as_state(self) -> dict[str, object]:
        """Everything, for a file."""
        return asdict(self)


def counted(states: Sequence[Stands]) -> dict[str, int]:
    """How many came to which end."""
    found: dict[str, int] = {}
    for each in states:
        name = f"{each.state} {each.reason}" if each.state in ("FAILED", "QUARANTINED") else each.state
        found[name] = found.get(name, 0) + 1
    return found
