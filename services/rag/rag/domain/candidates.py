"""Passages on their way to the reader: what the ledger confirms, what moves them, one for each record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.domain.document import Chunk, Version
from rag.domain.fusion import Ranked
from rag.domain.ranking import Filter
from rag.domain.scope import Named
from rag.domain.terms import terms

NAME_BOOST = 0.5
"""Of a document that the question names as a whole, beside scores from 0 to 1; 1 would be a filter that widens by itself."""
CLAUSE_BOOST = 0.2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage with its score so far."""

    ranked: Ranked
    chunk: Chunk
    version: Version


def confirmed(chunk: Chunk, version: Version, where: Filter) -> bool:
    """Whether the ledger's own rows pass the filter, whatever an index said."""
    return chunk.version_id == version.version_id and chunk.access_id in where.access_ids and in_force(version, where)


def in_force(version: Version, where: Filter) -> bool:
    """Whether a version is of the tenant, one of those asked for, and holds at the times asked for; its passages have their own demands."""
    handed_in = version.submission
    return (
        handed_in.tenant == where.tenant
        and version.from_seq <= where.as_of.known_at_seq < version.to_seq
        and handed_in.valid_from_us <= where.as_of.valid_at_us < handed_in.valid_to_us
        and (where.versions is None or version.version_id in where.versions)
    )


def moves(question: str, named: Named) -> bool:
    """Whether `boosted` may change an order."""
    return bool(named.strength or _clauses_asked(question))


def boosted(question: str, found: Sequence[Candidate], named: Named) -> list[Candidate]:
    """Lift passages of named documents and of named clauses; the order of the others stays."""
    asked = _clauses_asked(question)
    moved = []
    for each in found:
        gain = NAME_BOOST * named.strength.get(each.version.version_id, 0.0)
        if asked and each.chunk.passage.clause and asked & _clause_terms(each.chunk.passage.clause):
            gain += CLAUSE_BOOST
        moved.append(replace(each, ranked=replace(each.ranked, score=each.ranked.score + gain)) if gain else each)
    return sorted(moved, key=lambda each: (-each.ranked.score, each.chunk.chunk_id))


def collapsed(found: Sequence[Candidate]) -> list[Candidate]:
    """Keep the best passage of each record; passages that come from no record all stay."""
    seen: set[tuple[int, str]] = set()
    kept = []
    for each in found:
        record = (each.chunk.version_id, each.chunk.passage.record_id)
        if record[1] and record in seen:
            continue
        seen.add(record)
        kept.append(each)
    return kept


def _clauses_asked(question: str) -> set[str]:
    return {term for term in terms(question) if term.startswith("§")}


def _clause_terms(printed: str) -> set[str]:
    return {"§" + term for term in terms(printed)} | {term for term in terms(printed) if term.startswith("§")}
