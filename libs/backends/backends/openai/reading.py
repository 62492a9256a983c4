"""One choice's events as they come, held against what was asked."""

from __future__ import annotations

from finmesh.inference.v1.generation_pb2 import FinishReason

from backends.http_link import parsed
from backends.openai.completions import Asked, Counted, piece
from backends.writing import Writing, said_wrong


class Reading:
    """Takes the data of each event, then its end."""

    def __init__(self, asked: Asked, writing: Writing, choice: int) -> None:
        self._asked, self._writing, self._choice = asked, writing, choice
        self._wants_logprobs = writing.request.sampling.logprobs or writing.request.sampling.top_logprobs > 0
        self._finish: FinishReason | None = None
        self._usage: Counted | None = None

    def take(self, data: bytes, now_s: float) -> bool:
        """Pass on what an event says; False when its reader did not keep up. Raises Unavailable."""
        told = piece(self._asked, parsed(data), wants_logprobs=self._wants_logprobs)
        if self._finish is not None and (told.tokens or told.finish is not None):
            raise said_wrong("the engine goes on after the end")
        self._usage = told.usage or self._usage
        self._finish = told.finish if self._finish is None else self._finish
        return self._writing.tokens(self._choice, told.tokens, now_s)

    def end(self, begun: int) -> None:
        """Hold what the server counted against what it was asked and told; ``begun``: tokens that the answer had before."""
        if self._finish is None:
            raise said_wrong("the engine did not say why it ended")
        usage, writing, request = self._usage, self._writing, self._writing.request
        counted: int | None = None
        if usage is not None:
            told = writing.sizes[self._choice] - begun
            emitted = sum(len(each.token_ids) for each in request.emitted if each.choice == self._choice)
            if self._asked.by_ids and usage.prompt_tokens != len(request.prompt_tokens) + emitted:
                raise said_wrong("the engine read another prompt than it was given", "ENGINE_PROMPT_OTHER")
            is_other = self._asked.tells_ids and not told <= usage.output_tokens <= told + 1  # an end that it counts and does not tell
            if is_other or not told <= usage.output_tokens <= request.bounds.max_output_tokens - begun:
                raise said_wrong("the engine counts other tokens than it told")
            writing.cached_tokens = max(writing.cached_tokens, min(usage.cached_tokens, len(request.prompt_tokens)))
            if not self._asked.tells_ids:
                writing.output_tokens += usage.output_tokens - told
                counted = begun + usage.output_tokens
        writing.finish(self._choice, self._finish, counted)
