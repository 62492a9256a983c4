"""Answers whose citations hold: questions taken apart, sentences of passages that answer them, refusal where none does."""

from rag.domain.answering.answer import answer
from rag.domain.answering.generated import verified
from rag.domain.answering.lists import lists_something, searched
from rag.domain.answering.statistics import idf, needed

__all__ = ["answer", "idf", "lists_something", "needed", "searched", "verified"]
