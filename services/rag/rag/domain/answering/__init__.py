"""Answers whose citations hold: questions taken apart, sentences of passages that answer them, refusal where none does."""

from rag.domain.answering.answer import Answered, answer
from rag.domain.answering.generated import Sentences, prompt, verified

__all__ = ["Answered", "Sentences", "answer", "prompt", "verified"]
