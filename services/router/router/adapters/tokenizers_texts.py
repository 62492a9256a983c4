"""Models as text sees them: `tokenizers` for ids, a template process for conversations, one vocabulary for answers.

Two tokenizers a model. The template's own text may hold control tokens; content may not, so it is encoded by one to which every added
token is a control token and which encodes control tokens as text. (`encode_special_tokens` alone leaves out added tokens that are no
control tokens, `<think>` for one.) Each piece is encoded by itself: no token spans template and content.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.llm import foreign as manifests
from engine.llm.fields import MalformedManifestError
from engine.llm.foreign import ForeignManifest, TextManifest
from engine.llm.manifest import BLOCK_TOKENS
from engine.llm.model_files import TOKENIZER, WrongFileError
from engine.llm.tool_grammar import CLOSE, OPEN
from meshkit.errors import FailedPrecondition, InvalidArgument, InvalidDocument, MeshError
from meshkit.strict_json import parse_json
from tokenizers import Tokenizer

from router.adapters.jinja_process import JinjaProcess
from router.domain.choice_text import ChoiceText
from router.domain.generation import Conversation, Input, Text
from router.domain.model import ServedModel
from router.domain.prompt import PromptLimits, checked, too_long
from router.domain.rendering import Content, Marks, Part, SeenTurn, Shape, contents, shape
from router.domain.spoken import Spoken
from router.domain.stops import Stops
from router.domain.tools import Offer, unsupported
from router.domain.vocabulary import Vocabulary

_logger = logging.getLogger(__name__)
_INLINE_BYTES = 4_096  # more (2 ms of work) is encoded on a thread
_MAX_KNOWN = 512
_MAX_KNOWN_MESSAGES, _MAX_KNOWN_CHARACTERS = 64, 1_024  # longer ones are as many as callers like, and are not remembered
_MAX_HALVES = 1_000
_PROBES = ("user",), ("system", "user"), ("user", "assistant", "user"), ("system", "user", "assistant", "user")
_TOOL_PROBES = tuple(  # (role, calls) of each turn
    Shape(tuple(SeenTurn(role, not calls or is_said, False, False, calls) for role, calls in turns), (True, False))
    for turns in (
        (("user", 0),),
        (("system", 0), ("user", 0), ("assistant", 1), ("tool", 0)),
        (("user", 0), ("assistant", 2), ("tool", 0), ("tool", 0), ("assistant", 0), ("user", 0)),
    )
    for is_said in (False, True)
)


@dataclass(frozen=True, slots=True)
class _Model:
    """One model. ``own``: encodes the template's text, ``plain``: content. ``pieces``: ids of the template's texts."""

    served: ServedModel
    vocabulary: Vocabulary
    own: Tokenizer
    plain: Tokenizer
    template: str | None
    variables: Mapping[str, Any]
    bos_id: int | None
    roles: frozenset[str]
    pieces: dict[str, list[int]] = field(default_factory=dict)

    def encoded(self, parts: Sequence[Part], said: Sequence[Content]) -> list[int]:
        """Return the ids of a rendered conversation. Raises InvalidArgument (TEXT_INVALID)."""
        ids: list[int] = []
        for part in parts:
            ids += self._of_template(part.text) if part.number < 0 else self.of_content(part.content(said))
        return ids

    def _of_template(self, text: str) -> list[int]:
        known = self.pieces.get(text)
        if known is None:
            known = self.own.encode(text, add_special_tokens=False).ids
            if len(text) <= _MAX_KNOWN_CHARACTERS:
                if len(self.pieces) >= _MAX_KNOWN:
                    self.pieces.clear()
                self.pieces[text] = known
        return known

    def of_content(self, text: str) -> list[int]:
        """Return the ids of content. A tokenizer that makes an added token of it all the same gets it in halves."""
        ids, waiting, halves = list[int](), [text], 0
        while waiting:
            content = waiting.pop()
            encoded: list[int] = self.plain.encode_batch_fast([content], add_special_tokens=False)[0].ids  # leaves others their turn
            if self.vocabulary.added.isdisjoint(encoded):
                ids += encoded
                continue
            halves += 1
            if len(content) == 1 or halves > _MAX_HALVES:
                raise InvalidArgument("the model has no token for a character of this text but a control token", reason="TEXT_INVALID")
            waiting += [content[len(content) // 2 :], content[: len(content) // 2]]
        return ids


class TokenizersTexts:
    """See ``ports.Texts``."""

    def __init__(self, models: Sequence[_Model], process: JinjaProcess, limits: PromptLimits) -> None:
        self._models = {model.served.digest: model for model in models}
        self._process = process
        self._limits = limits
        self._marks = Marks(secrets.token_hex(16))
        self._rendered: OrderedDict[tuple[bytes, Shape], tuple[Part, ...]] = OrderedDict()

    @classmethod
    @asynccontextmanager
    async def opened(cls, folders: Sequence[Path], limits: PromptLimits) -> AsyncIterator[TokenizersTexts]:
        """Read the models of these folders. Raises InvalidDocument (MODEL_INVALID, TOKENIZER_INVALID, TEMPLATE_INVALID)."""
        process = JinjaProcess(limits.max_bytes)
        try:
            texts = cls([await asyncio.to_thread(_read, folder) for folder in folders], process, limits)
            for model in list(texts._models.values()):
                await texts._probe(model)
            yield texts
        finally:
            await process.aclose()

    @property
    def models(self) -> Sequence[ServedModel]:
        """Return the models, by name."""
        return sorted((model.served for model in self._models.values()), key=lambda served: served.name)

    def choice(self, model: ServedModel, stop: Sequence[str], offer: Offer | None = None) -> ChoiceText:
        """Return the text of a new answer. Raises InvalidArgument (STOP_INVALID)."""
        known = self._models[model.digest]
        return ChoiceText(model, known.vocabulary, Spoken(Stops(stop), offer), known.of_content)

    async def text(self, model: ServedModel, token_ids: Sequence[int]) -> str:
        """Spell a prompt, and read it as a server would that knows control tokens by their names; see ``ports.Texts``."""
        known = self._models[model.digest]

        def spelt() -> str:
            text = known.vocabulary.spelt(token_ids)
            return text if known.own.encode(text, add_special_tokens=False).ids == list(token_ids) else ""

        text = await asyncio.to_thread(spelt)
        if not text:
            raise FailedPrecondition("no text stands for just this prompt, and the engine takes text", reason="ENGINE_LACKS_TOKEN_IDS")
        return text

    async def tokens(self, model: ServedModel, prompt: Input) -> tuple[int, ...]:
        """Render and tokenise once; see ``ports.Texts``. What is too long is refused by its bytes before any work."""
        known = self._models[model.digest]
        fitting = min(self._limits.max_bytes, model.max_len_tokens * known.vocabulary.longest_bytes)  # fewer tokens can't be made of more
        if model.tool_format is None and isinstance(prompt, Conversation) and (field := _of_tools(prompt)):
            raise unsupported(model.name, field)
        size = checked(prompt, known.roles, model.vocabulary, replace(self._limits, max_bytes=fitting))
        if isinstance(prompt, Conversation):
            parts, said = await self._parts(known, shape(prompt.messages, prompt.tools)), contents(prompt.messages, prompt.tools)
        elif isinstance(prompt, Text):
            parts, said = (Part("", 0),), [Content(prompt.text)]
        else:
            return _fitting(prompt.ids, model)
        encode = partial(known.encoded, parts, said)
        ids = await asyncio.to_thread(encode) if size > _INLINE_BYTES else encode()
        if isinstance(prompt, Text) and known.bos_id is not None:
            ids.insert(0, known.bos_id)
        return _fitting(tuple(ids), model)

    async def _parts(self, model: _Model, seen: Shape) -> tuple[Part, ...]:
        key = (model.served.digest, seen)
        parts = self._rendered.get(key)
        if parts is not None:
            self._rendered.move_to_end(key)
            return parts
        parts = await self._render(model, seen, self._marks)
        if len(seen.turns) + sum(turn.calls for turn in seen.turns) + len(seen.tools) <= _MAX_KNOWN_MESSAGES:
            self._rendered[key] = parts
            if len(self._rendered) > _MAX_KNOWN:
                self._rendered.popitem(last=False)
        return parts

    async def _render(self, model: _Model, seen: Shape, marks: Marks) -> tuple[Part, ...]:
        if model.template is None:
            raise InvalidArgument("the model takes no conversation: it has no template", reason="TEMPLATE_REFUSED")
        variables = {**model.variables, **marks.marked(seen)}
        return marks.parts(await self._process.render(model.served.digest.hex(), model.template, variables), seen)

    async def _probe(self, model: _Model) -> None:
        """Render conversations that a template must not spoil. It may refuse any but that of one user."""
        if model.template is None:
            return
        marks = Marks(secrets.token_hex(16), is_probe=True)
        for roles in _PROBES:
            for is_spaced in (False, True):
                seen = Shape(tuple(SeenTurn(role, True, is_spaced, is_spaced) for role in roles))
                variables = {**model.variables, **marks.marked(seen)}
                try:
                    rendered = await self._process.render(model.served.digest.hex(), model.template, variables)
                except InvalidArgument as error:
                    if roles == _PROBES[0]:
                        raise _wrong(model.served.name, "TEMPLATE_INVALID", error.message) from error
                    continue
                except MeshError as error:
                    raise _wrong(model.served.name, "TEMPLATE_INVALID", error.message) from error
                try:
                    marks.parts(rendered, seen)
                except InvalidArgument as error:
                    raise _wrong(model.served.name, "TEMPLATE_INVALID", f"{error.message} ({', '.join(roles)})") from error
        for seen in _TOOL_PROBES if model.served.tool_format else ():
            try:
                await self._render(model, seen, marks)
            except MeshError as error:  # it may serve all the same
                facts = {"model": model.served.name, "error.message": error.message}
                _logger.error("a model's template has no tools that we know, against its manifest: it gets none", extra={"facts": facts})
                self._models[model.served.digest] = replace(model, served=replace(model.served, tool_format=None))
                return


def _of_tools(prompt: Conversation) -> str:
    """Return the field of a conversation that only a model with tools understands, empty for none."""
    for number, turn in enumerate(prompt.messages):
        if turn.role == "tool" or turn.calls:
            return f"conversation.messages[{number}].{'tool_calls' if turn.calls else 'role'}"
    return "tools" if prompt.tools else ""


def _fitting(ids: tuple[int, ...], model: ServedModel) -> tuple[int, ...]:
    if len(ids) >= model.max_len_tokens:
        raise too_long(f"{len(ids)} tokens, where prompt and answer have {model.max_len_tokens}")
    return ids


def _read(folder: Path) -> _Model:
    """Return the model of a folder. Raises InvalidDocument."""
    try:
        manifest = manifests.read(folder)
        content = manifest.content(folder, TOKENIZER)
        template = None if manifest.template is None else manifest.content(folder, manifest.template).decode()
    except (MalformedManifestError, WrongFileError, UnicodeDecodeError) as error:
        raise _wrong(folder.name, "MODEL_INVALID", str(error)) from error
    document: Any = parse_json(content)
    if not isinstance(document, dict):
        raise _wrong(manifest.name, "TOKENIZER_INVALID", "tokenizer.json is no object")
    vocabulary = Vocabulary.of(document, manifest.vocabulary)
    if manifest.tool_format and any(entry["special"] and entry["content"] in (OPEN, CLOSE) for entry in document["added_tokens"]):
        raise _wrong(manifest.name, "TOKENIZER_INVALID", f"{OPEN} is a control token, which no text has")
    controls = document | {"added_tokens": [entry | {"special": True} for entry in document["added_tokens"]]}
    try:
        own, plain = Tokenizer.from_buffer(content), Tokenizer.from_str(json.dumps(controls))
    except Exception as error:  # the library knows no class of its own
        raise _wrong(manifest.name, "TOKENIZER_INVALID", str(error)) from error
    plain.encode_special_tokens = True
    for each in (own, plain):
        each.no_truncation()
        each.no_padding()
    return _Model(
        served=_served(manifest, template),
        vocabulary=vocabulary,
        own=own,
        plain=plain,
        template=template,
        variables=_variables(manifest, vocabulary),
        bos_id=manifest.bos_id,
        roles=frozenset({"system", "user", "assistant"} | ({"tool"} if manifest.tool_format else set())),
    )


def _variables(manifest: TextManifest, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return what templates expect besides the messages."""
    bos, eos = ("" if each is None else vocabulary.contents.get(each, "") for each in (manifest.bos_id, manifest.end_ids[0]))
    return {"bos_token": bos, "eos_token": eos, "add_generation_prompt": True, "tools": None, "documents": None}


def _served(manifest: TextManifest, template: str | None) -> ServedModel:
    digest, tokenizer = bytes.fromhex(manifest.digest), bytes.fromhex(manifest.tokenizer_digest)
    release = sha256(b"release\0" + digest + tokenizer + sha256((template or "").encode()).digest()).hexdigest()[:32]
    return ServedModel(
        name=manifest.name,
        digest=digest,
        release=release,
        max_len_tokens=manifest.max_len,
        block_tokens=BLOCK_TOKENS if isinstance(manifest, ForeignManifest) else manifest.layout.block_tokens,
        vocabulary=manifest.vocabulary,
        end_ids=frozenset(manifest.end_ids),
        licence=manifest.licence,
        tokenizer_digest=tokenizer,
        tool_format=manifest.tool_format,
    )


def _wrong(name: str, reason: str, why: str) -> InvalidDocument:
    return InvalidDocument(f"model {name}: {why}", reason=reason)
