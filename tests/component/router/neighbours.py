"""Texts whose tokens are characters, and records that are lists."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from meshkit.errors import FailedPrecondition, InvalidArgument, Unavailable
from router.domain.calls import Called
from router.domain.generation import Conversation, EndFacts, Finish, Input, StartFacts, Text
from router.domain.model import ServedModel
from router.domain.spoken import Piece, Spoken
from router.domain.stops import Stops
from router.domain.tools import Offer

from .inference import BLOCK_TOKENS, END, MODEL, digest_of


def served(name: str = MODEL, max_len_tokens: int = 256, tokenizer: str = "") -> ServedModel:
    tokenizer_digest = sha256(f"tokenizer {tokenizer}".encode()).digest()
    ends = frozenset({END})
    return ServedModel(
        name=name,
        digest=digest_of(name),
        release=digest_of(name).hex()[:32],
        max_len_tokens=max_len_tokens,
        block_tokens=BLOCK_TOKENS,
        vocabulary=1 << 21,
        end_ids=ends,
        licence="Apache-2.0",
        tokenizer_digest=tokenizer_digest,
        tool_format="hermes",
    )


class CharacterText:
    """One answer: a token is a character."""

    def __init__(self, stop: Sequence[str], offer: Offer | None) -> None:
        self._spoken = Spoken(Stops(stop), offer)

    def push(self, token_id: int) -> Piece:
        return self._spoken.push(chr(token_id) if token_id != END else "")

    def push_text(self, content: bytes) -> Piece:
        return self._spoken.push(content.decode())

    def said(self, token_ids: Sequence[int]) -> bytes:
        return "".join(chr(each) for each in token_ids if each != END).encode()

    def ids(self, content: bytes) -> tuple[int, ...]:
        return tuple(ord(each) for each in content.decode())

    def name(self, token_id: int) -> bytes:
        return chr(token_id).encode()

    def end(self, reason: Finish) -> tuple[Piece, Finish]:
        return self._spoken.end("", reason)

    @property
    def called(self) -> tuple[Called, ...]:
        return self._spoken.called


class CharacterTexts:
    """See ``ports.Texts``. ``prefixes``: what a model's own template puts before every text."""

    def __init__(self, *models: ServedModel, prefixes: dict[str, str] | None = None) -> None:
        self.models = models or (served(),)
        self._prefixes = prefixes or {}

    async def tokens(self, model: ServedModel, prompt: Input) -> tuple[int, ...]:
        if isinstance(prompt, Conversation):
            prompt = Text("".join(f"<{turn.role}>{turn.content}" for turn in prompt.messages))
        if not isinstance(prompt, Text):
            return prompt.ids
        text = self._prefixes.get(model.name, "") + prompt.text
        if len(text) >= model.max_len_tokens:
            raise InvalidArgument("too long", reason="PROMPT_TOO_LONG")
        return tuple(ord(each) for each in text)

    async def text(self, model: ServedModel, token_ids: Sequence[int]) -> str:
        if ord("‼") in token_ids:
            raise FailedPrecondition("no text stands for it", reason="ENGINE_LACKS_TOKEN_IDS")
        return "".join(chr(each) for each in token_ids)

    def choice(self, model: ServedModel, stop: Sequence[str], offer: Offer | None = None) -> CharacterText:
        return CharacterText(stop, offer)


class ListedRecords:
    """See ``ports.GenerationRecords``. ``is_down``: nothing can be written."""

    def __init__(self) -> None:
        self.starts: list[StartFacts] = []
        self.ends: list[EndFacts] = []
        self.checkpoints: list[int] = []
        self.order: list[str] = []
        self.is_down = False
        self.is_lost = False

    async def started(self, facts: StartFacts) -> str:
        self._check()
        self.starts.append(facts)
        self.order.append("started")
        return f"start-{facts.generation_id}"

    def checkpoint(self, generation_id: str, output_tokens: int) -> None:
        if self.is_lost:
            raise Unavailable("somebody else closed it", reason="EVIDENCE_LOST")
        self.checkpoints.append(output_tokens)

    async def ended(self, facts: EndFacts) -> str:
        self._check()
        self.ends.append(facts)
        self.order.append("ended")
        return f"end-{facts.generation_id}"

    def _check(self) -> None:
        if self.is_down:
            raise Unavailable("the log can't be written", reason="EVENT_LOG_DOWN")
