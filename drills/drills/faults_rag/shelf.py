"""Documents that are not written for a round: samples of every format, and poison. Pure but for the time that making them takes."""

import datetime as dt
import random

from finmesh.rag.v1 import document_pb2 as documents

from drills.corpus.poison import POISON
from drills.corpus.samples import QUESTIONS, samples
from drills.faults_rag.plan import INLINE_BYTES, READABLE, TENANT, Demand, Handed, Way, demanded, planted

POISON_A_ROUND = 8
_DEMANDS = {"L1": Demand.OPEN, "L2": Demand.STAFF, "L3": Demand.GRADE}
_EXHAUSTED = ("FAILED", "ATTEMPTS_EXHAUSTED")


def sampled(seed: int, round_: int) -> list[Handed]:
    """The samples of `make run`, under ids of the round's own."""
    rng = random.Random(f"{seed} {round_} samples")
    found = []
    for sample in samples():
        demand = _DEMANDS[sample.grade]
        name = (seed, round_, sample.source)
        description = documents.DocumentDescription(
            document_id=f"{sample.source}/{planted('id', *name)}",
            source_version=sample.version,
            title=f"{planted('title', *name)} {sample.title}",
            file_name=sample.name,
            media_type=sample.media_type,
            access=demanded(demand),
        )
        if sample.valid_from:
            description.valid_from.FromDatetime(dt.datetime.fromisoformat(sample.valid_from))
        found.append(
            Handed(
                tenant=TENANT,
                description=description,
                content=sample.content,
                way=rng.choice(list(Way)) if len(sample.content) <= INLINE_BYTES else Way.EVENT_OF_UPLOAD,
                demand=demand,
                ends=READABLE,
                question=next(each.text for each in QUESTIONS if each.source == sample.source),
                is_scoped=True,
            )
        )
    return found


def poisoned(seed: int, round_: int, count: int = POISON_A_ROUND) -> list[Handed]:
    """So many poison documents: three rounds of the usual number have all of them."""
    rng = random.Random(f"{seed} {round_} poison")
    found = []
    for place in range(count):
        poison = POISON[(round_ * count + place) % len(POISON)]
        content, name = poison.content(), (seed, round_, poison.name)
        ends = {("FAILED", reason) for reason in poison.reasons if reason} | {_EXHAUSTED}
        description = documents.DocumentDescription(
            document_id=f"{poison.name}/{planted('id', *name)}",
            source_version=1,
            title=planted("title", *name),
            file_name=poison.name,
            access=demanded(Demand.OPEN),
        )
        found.append(
            Handed(
                tenant=TENANT,
                description=description,
                content=content,
                way=Way.EVENT if not content else rng.choice(list(Way)) if len(content) <= INLINE_BYTES else Way.RPC,
                demand=Demand.OPEN,
                ends=frozenset(ends | READABLE | {("FAILED", "NO_TEXT")} if "" in poison.reasons else ends),
                question="",
                is_poison=True,
            )
        )
    return found
