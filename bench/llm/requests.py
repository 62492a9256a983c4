"""Prompts of one length that nobody has seen before, so that no prefix store answers for an engine."""

import random

PROMPT_TOKENS, OUTPUT_TOKENS = 128, 128
_FIRST_ORDINARY = 16  # below are control tokens


class Prompts:
    """Draws them; one list serves everything that is compared in a round."""

    def __init__(self, vocabulary: int, seed: int) -> None:
        self._vocabulary = vocabulary
        self._rng = random.Random(seed)

    def __call__(self, count: int, tokens: int = PROMPT_TOKENS) -> list[list[int]]:
        """`count` prompts."""
        return [[self._rng.randrange(_FIRST_ORDINARY, self._vocabulary) for _ in range(tokens)] for _ in range(count)]
