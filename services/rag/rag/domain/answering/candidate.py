"""A passage as the answerer sees it: sentences and rows with their terms, what stands above it, what it is called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from claims import evidence, folding
from claims.evidence import Evidence, Piece, Prepared

from rag.domain import terms
from rag.domain.retrieval import Passage

_HEAD_CHARACTERS = 30  # of a passage: what it begins with is mostly what it is about


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence or a row of a table, with the terms of the lexical leg."""

    piece: Piece
    terms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ranked passage, ready."""

    passage: Passage
    evidence: Evidence
    prepared: Prepared
    units: tuple[Unit, ...]
    title: frozenset[str]
    head: frozenset[str]
    above: frozenset[str]

    @property
    def named_text(self) -> str:
        """Return what a name may be found in, folded."""
        return self.prepared.context_text + "\n" + self.prepared.folded.text


def of(passage: Passage) -> Candidate:
    """Make a passage ready; its text is read once however many questions it is a candidate for."""
    chunk, submission = passage.chunk.passage, passage.version.submission
    return _candidate(passage, Evidence(chunk.text, submission.title, chunk.heading_path, chunk.table_header), chunk.clause)


def all_of(passages: Iterable[Passage]) -> list[Candidate]:
    """Make passages ready, in their order."""
    return [of(passage) for passage in passages]


def _candidate(passage: Passage, one: Evidence, clause: str) -> Candidate:
    prepared, units, title, head, above = _read(one, clause)
    return Candidate(passage=passage, evidence=one, prepared=prepared, units=units, title=title, head=head, above=above)


@lru_cache(maxsize=2_048)
def _read(one: Evidence, clause: str) -> tuple[Prepared, tuple[Unit, ...], frozenset[str], frozenset[str], frozenset[str]]:
    prepared = evidence.prepare(one)
    units = tuple(Unit(piece, frozenset(terms.terms(piece.text + " " + piece.header))) for piece in prepared.pieces)
    headings = " ".join(one.headings[-2:])
    beginning = re.sub(r"\s+", " ", one.text[: _HEAD_CHARACTERS + len(clause)])
    head = frozenset(terms.terms(f"{headings} {beginning}"))
    above = frozenset(terms.terms(" ".join((*one.headings, one.table_header))))
    return prepared, units, frozenset(terms.terms(one.title)), head, above


def folded(text: str) -> str:
    """Return a text as names are compared: folded, without spaces and marks."""
    return re.sub(r"[\s_()\-·,.:《》\"']", "", folding.fold(text).text)
