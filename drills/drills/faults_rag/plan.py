"""Which documents are handed in, in which order, and what is done to the mesh meanwhile: functions of the seed alone. Pure.

Every version holds a word that stands nowhere else, and so do its document's title and id. A response that holds such a word has shown
that document, whatever else it says; that is how leaks are found without trusting anything that the service says of itself.
"""

import datetime as dt
import hashlib
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from finmesh.common.v1 import grade_pb2
from finmesh.rag.v1 import document_pb2 as documents

from drills.faults_rag.words import paragraph

TENANT, OTHER_TENANT = "bank-a", "bank-b"
GROUP, OTHER_GROUP, BARRIER, PURPOSE, OTHER_PURPOSE = "retail", "board", "deal-x", "customer-service", "internal-audit"
MARKDOWN = "text/markdown"
INLINE_BYTES = 512 * 1024
READABLE = frozenset({("VISIBLE", ""), ("PARTIAL", "SECRETS_WITHHELD")})
_WORD = re.compile(rb"zq[b-df-hj-np-rtv]{14}")
_LETTERS = "bcdfghjklmnpqrtv"
_EMBARGO, _EXPIRED = dt.datetime(2099, 1, 1, tzinfo=dt.UTC), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_SECRET = "AKIA" + "Q5TZ7WKX2NVB4RHM"  # of the form of a cloud's key, so that it is certain


class Demand(StrEnum):
    """What a document demands, and so who may read it."""

    OPEN = "open"
    STAFF = "staff"  # L2: the clerk
    RETAIL = "retail"  # the clerk's group
    GRADE = "grade"
    GROUP = "group"
    BARRIER = "barrier"
    PURPOSE = "purpose"
    EMBARGO = "embargo"
    EXPIRED = "expired"
    FOREIGN = "foreign"  # of another tenant
    QUARANTINE = "quarantine"  # declared L4

    @property
    def is_the_clerks(self) -> bool:
        """Whether the clerk may read it."""
        return self in (Demand.OPEN, Demand.STAFF, Demand.RETAIL)

    @property
    def is_anybodys(self) -> bool:
        """Whether somebody may read it now."""
        return self not in (Demand.EMBARGO, Demand.EXPIRED, Demand.QUARANTINE)


class Way(StrEnum):
    """How something comes in."""

    RPC = "rpc"
    EVENT = "event"
    EVENT_OF_UPLOAD = "event of an upload"


@dataclass(frozen=True, slots=True)
class Handed:
    """A version as it is handed in. ``ends``: states and reasons that fit. ``question``: what it must be found by."""

    tenant: str
    description: documents.DocumentDescription
    content: bytes
    way: Way
    demand: Demand
    ends: frozenset[tuple[str, str]]
    question: str
    is_scoped: bool = False
    is_poison: bool = False

    @property
    def place(self) -> tuple[str, str, int]:
        """What names it."""
        return self.tenant, self.description.document_id, self.description.source_version


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Versions up to one are withdrawn, those that have not come yet included."""

    tenant: str
    document_id: str
    upto: int
    way: Way


Step = Handed | Withdrawal


@dataclass(frozen=True, slots=True)
class Plan:
    """One round. ``forbidden``: words that the clerk may never see; ``secret``: words that nobody may."""

    steps: tuple[Step, ...]
    forbidden: frozenset[bytes]
    secret: frozenset[bytes]

    @property
    def handed(self) -> dict[tuple[str, str, int], Handed]:
        """Every version once."""
        return {step.place: step for step in self.steps if isinstance(step, Handed)}

    @property
    def withdrawn(self) -> dict[tuple[str, str], int]:
        """Up to which version a document is withdrawn."""
        return {(step.tenant, step.document_id): step.upto for step in self.steps if isinstance(step, Withdrawal)}


class Kind(StrEnum):
    """What is done: a row of the process table, and how."""

    INGEST = "rag-ingest"
    OTHER_INGEST = "rag-ingest-2"
    RPC = "rag-rpc"
    MILVUS = "milvus"
    ENCODER = "triton-encoder"
    KAFKA = "kafka"
    RPC_EMPTIED = "rag-rpc, its index deleted"
    MILVUS_EMPTIED = "milvus, its data deleted"
    MILVUS_AWAY = "milvus, away for a while"
    ENCODER_AWAY = "triton-encoder, away for a while"
    KAFKA_AWAY = "kafka, away for a while"

    @property
    def row(self) -> str:
        """Row of the process table."""
        return self.value.partition(", ")[0]

    @property
    def how(self) -> str:
        """Empty: killed, and started again by whoever watches it."""
        return self.value.partition(", ")[2]


def planted(*names: object) -> str:
    """A word that stands where it was planted and nowhere else. No consonant of it is one that an English stem loses."""
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    return "zq" + "".join(_LETTERS[byte % 16] for byte in digest[:14])


def words_in(content: bytes) -> frozenset[bytes]:
    """Every planted word in some bytes."""
    return frozenset(_WORD.findall(content))


def order(seed: int, round_: int, kinds: Iterable[Kind] = tuple(Kind)) -> list[Kind]:
    """Each kind once, in an order of the round's own."""
    chosen = list(kinds)
    return random.Random(f"{seed} {round_} injections").sample(chosen, len(chosen))


def demanded(demand: Demand) -> documents.Access:
    """What a document demands of readers."""
    access = documents.Access(grade=grade_pb2.DATA_GRADE_L1)
    match demand:
        case Demand.STAFF:
            access.grade = grade_pb2.DATA_GRADE_L2
        case Demand.RETAIL:
            access.groups.append(GROUP)
        case Demand.GRADE:
            access.grade = grade_pb2.DATA_GRADE_L3
        case Demand.QUARANTINE:
            access.grade = grade_pb2.DATA_GRADE_L4
        case Demand.GROUP:
            access.groups.append(OTHER_GROUP)
        case Demand.BARRIER:
            access.barriers.append(BARRIER)
        case Demand.PURPOSE:
            access.purposes.append(OTHER_PURPOSE)
        case Demand.EMBARGO:
            access.publish_at.FromDatetime(_EMBARGO)
        case Demand.EXPIRED:
            access.expires_at.FromDatetime(_EXPIRED)
    return access


def of_document(seed: int, round_: int, number: int) -> list[Handed]:
    """The versions of one written document, in the order of their numbers."""
    rng = random.Random(f"{seed} {round_} document {number}")
    demand = list(Demand)[number % len(Demand)] if number % 2 else rng.choice([Demand.OPEN, Demand.STAFF, Demand.RETAIL])
    name = (seed, round_, number)
    tenant = OTHER_TENANT if demand is Demand.FOREIGN else TENANT
    is_dated, has_secret = rng.random() < 0.5, demand is not Demand.QUARANTINE and rng.random() < 0.1
    found = []
    for version in range(1, rng.choice((1, 1, 1, 2, 3)) + 1):
        description = documents.DocumentDescription(
            document_id=f"文档 {number}/{planted('id', *name)}",
            source_version=version,
            title=f"{planted('title', *name)} 产品说明",
            file_name=f"{number}.md",
            media_type=MARKDOWN,
            access=demanded(demand),
        )
        if is_dated:
            description.valid_from.FromDatetime(dt.datetime(2020 + version, 1, 1, tzinfo=dt.UTC))
        text = _text(rng, planted("text", *name, version), planted("secret", *name, version) if has_secret else "")
        ends = {("PARTIAL", "SECRETS_WITHHELD")} if has_secret else {("VISIBLE", "")}
        if demand is Demand.QUARANTINE:
            ends = {("QUARANTINED", "GRADE_DECLARED")}
        found.append(
            Handed(
                tenant=tenant,
                description=description,
                content=text.encode(),
                way=rng.choice(list(Way)),
                demand=demand,
                ends=frozenset(ends),
                question=planted("text", *name, version),
            )
        )
    return found


def _text(rng: random.Random, word: str, secret_word: str) -> str:
    sections = [f"# {paragraph(rng, 1)}\n\n{paragraph(rng, rng.randint(1, 4))} {word}。{paragraph(rng, rng.randint(1, 4))}"]
    sections += [f"## {paragraph(rng, 1)}\n\n{paragraph(rng, rng.randint(2, 8))}" for _ in range(rng.randint(0, 4))]
    if secret_word:
        sections.insert(rng.randint(1, len(sections)), f"## 系统\n\n{secret_word} {_SECRET}")
    return "\n\n".join(sections) + "\n"


def planned(seed: int, round_: int, count: int, given: Iterable[Handed] = ()) -> Plan:
    """A round of so many written documents and those that are given: in any order, some twice, some withdrawn before they come."""
    rng = random.Random(f"{seed} {round_} plan")
    handed = [version for number in range(count) for version in of_document(seed, round_, number)]
    there = words_in(b"".join(each.content for each in handed))
    secret = there & {planted("secret", seed, round_, number, version).encode() for number in range(count) for version in (1, 2, 3)}
    given = list(given)
    newest: dict[tuple[str, str], int] = {}
    for each in handed:
        if each.demand is not Demand.QUARANTINE:
            newest[each.place[:2]] = max(newest.get(each.place[:2], 0), each.place[2])
    gone = [
        Withdrawal(tenant, document_id, rng.randint(1, version), rng.choice([Way.RPC, Way.EVENT]))
        for (tenant, document_id), version in newest.items()
        if rng.random() < 0.15
    ]
    again = [each for each in handed if rng.random() < 0.08]
    steps: list[Step] = [*handed, *given, *gone, *again]
    rng.shuffle(steps)
    forbidden = {word for each in (*handed, *given) if not each.demand.is_the_clerks for word in _words_of(each)}
    return Plan(tuple(steps), frozenset(forbidden | secret), frozenset(secret))


def _words_of(handed: Handed) -> frozenset[bytes]:
    return words_in(handed.content) | words_in(handed.description.SerializeToString())
