"""Questions to documents in the form of OpenAI's API: ``model: knowledge/<scenario>``. Citations are annotations of the message.

What has no meaning for an answer from documents is refused by name. The last turn is the question; of the turns before, the user's alone
count, and only by what they name. What a client says that the assistant said is no evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from finmesh.rag.v1 import document_pb2 as document_message
from finmesh.rag.v1 import rag_service_pb2 as rag
from meshkit.errors import NotFound, Unavailable

from gateway.domain.route import SCENARIO
from gateway.openai.answers import dumped, event
from gateway.openai.fields import Fields, document, unsupported, wrong
from gateway.openai.requests import KNOWLEDGE, content_of, neutral_fields, neutral_turn_fields

MAX_EARLIER = 6
_MAX_QUESTION, _MAX_CONVERSATION = 4_000, 100
# Values that change nothing of an answer from documents; any other value is refused by name.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    **{name: values for name, values in neutral_fields("chat").items() if name != "metadata"},
    "temperature": (0, 0.0, 1, 1.0),
    "top_p": (1, 1.0),
    "n": (1, 1.0),
    "stop": ([],),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "response_format": ({"type": "text"},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
}


@dataclass(frozen=True, slots=True)
class Question:
    """A body as rag's request, which lacks whose it is: tenant and grade."""

    model: str
    request: rag.AskRequest
    streams: bool
    includes_usage: bool


def read(content: bytes, aliases: Mapping[str, str]) -> Question:
    """Read a body of ``/v1/chat/completions``. Raises InvalidArgument, NotFound (MODEL_UNKNOWN)."""
    fields = Fields(document(content))
    named = fields.text("model")
    model = aliases.get(named, named)
    scenario = model.removeprefix(KNOWLEDGE)
    if not SCENARIO.fullmatch(scenario):
        raise NotFound("there is no such model", reason="MODEL_UNKNOWN")
    messages = fields.take("messages")
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "must be a list of at least one message")
    turns = [_turn(Fields(message, f"messages[{number}].")) for number, message in enumerate(messages)]
    last = len(turns) - 1
    if turns[last][0] != "user":
        raise wrong(f"messages[{last}].role", "must be user: the last message is the question")
    if not 1 <= len(turns[last][1].strip()) <= _MAX_QUESTION:
        raise wrong(f"messages[{last}].content", f"must have 1 to {_MAX_QUESTION} characters")
    request = rag.AskRequest(scenario=scenario, question=turns[last][1], conversation_id=_conversation(fields.take("metadata")))
    if not request.conversation_id:
        earlier = [text[:_MAX_QUESTION] for role, text in turns[:last] if role == "user" and text.strip()]
        request.earlier_questions.extend(earlier[-MAX_EARLIER:])
    streams, options = fields.flag("stream"), fields.take("stream_options")
    includes_usage = False
    if options is not None:
        if not streams:
            raise wrong("stream_options", "needs stream")
        said = Fields(options, "stream_options.")
        includes_usage = said.flag("include_usage")
        said.neutral({"include_obfuscation": (False,)})
        said.end()
    fields.neutral(NEUTRAL)
    fields.end()
    return Question(model, request, streams, includes_usage)


def _turn(fields: Fields) -> tuple[str, str]:
    role = fields.text("role")
    if role in ("system", "developer", "tool", "function"):
        raise unsupported(fields.place + "role")
    if role not in ("user", "assistant"):
        raise wrong(fields.place + "role", "must be user or assistant")
    text = content_of(fields.take("content"), fields.place + "content")
    neutral = neutral_turn_fields()
    if role == "assistant":
        fields.take("annotations")  # an answer of ours comes back with its citations, which count as little as its text
        neutral.pop("annotations")
    fields.neutral(neutral)
    fields.end()
    return role, text


def _conversation(value: Any) -> str:
    if value is None:
        return ""
    fields = Fields(value, "metadata.")
    stated = fields.text("conversation_id", "")
    if len(stated) > _MAX_CONVERSATION or not stated.isprintable():
        raise wrong("metadata.conversation_id", f"must have at most {_MAX_CONVERSATION} printable characters")
    fields.end()
    return stated


@dataclass(slots=True)
class Answer:
    """One answer. ``take`` each part of rag in order. ``request_id`` names it: the audit record has the same."""

    question: Question
    request_id: str
    created_s: int
    _passages: dict[str, document_message.Passage] = field(default_factory=dict)
    _text: list[str] = field(default_factory=list)
    _characters: int = 0
    _annotations: list[dict[str, Any]] = field(default_factory=list)
    _scope: rag.Scope = field(default_factory=rag.Scope)
    _has_begun: bool = False
    _end: rag.AnswerEnd | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the end was told."""
        return self._end is not None

    @property
    def usage(self) -> dict[str, int]:
        """What a model used for it; nothing where sentences were quoted, which no model read or wrote."""
        prompt, output = (self._end.prompt_tokens, self._end.output_tokens) if self._end is not None else (0, 0)
        return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}

    def take(self, part: rag.AskResponse) -> list[bytes]:
        """Return the events that a part makes in a stream."""
        match part.WhichOneof("event"):
            case "retrieved":
                self._passages = {each.passage_id: each for each in part.retrieved.passages}
                self._scope = part.retrieved.scope
                return [self._chunk({"content": ""}, None)]
            case "sentence":
                return [self._chunk(self._said(part.sentence), None)]
            case "end":
                self._end = part.end
                told = [] if part.end.answered else [self._chunk(self._refused(part.end.message), None)]
                told.append(self._chunk({}, "stop"))
                if self.question.includes_usage:
                    told.append(event(self._head("chat.completion.chunk") | {"choices": [], "usage": self.usage}))
                return told
        return []

    def whole(self) -> bytes:
        """Return the document. Raises Unavailable when rag did not end it."""
        if not self.is_whole:
            raise Unavailable("the answer broke off", reason="STREAM_BROKEN")
        message = {"role": "assistant", "content": "".join(self._text), "refusal": None, "annotations": self._annotations}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return dumped(self._head("chat.completion") | {"choices": [choice], "usage": self.usage, "finmesh": self._more()})

    def _said(self, sentence: rag.Sentence) -> dict[str, Any]:
        """A sentence on a line of its own, and its citations with the stretch of the answer that rests on them."""
        text = ("\n" if self._text else "") + sentence.text
        end = self._characters + len(text)
        start = end - len(sentence.text)
        self._text.append(text)
        self._characters = end
        found = [self._annotation(each, start, end) for each in sentence.citations]
        self._annotations += found
        return {"content": text, "annotations": found}

    def _refused(self, message: str) -> dict[str, Any]:
        self._text.append(message)
        return {"content": message, "annotations": []}

    def _annotation(self, cited: rag.Citation, start: int, end: int) -> dict[str, Any]:
        passage = self._passages.get(cited.passage_id)
        title = passage.title if passage is not None else ""
        return {"type": "url_citation", "url_citation": {"start_index": start, "end_index": end, "url": cited.url, "title": title}}

    def _chunk(self, delta: dict[str, Any], reason: str | None) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            delta = {"role": "assistant", "content": "", "refusal": None} | delta
        body = self._head("chat.completion.chunk")
        body["choices"] = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
        if self.question.includes_usage:
            body["usage"] = None
        if reason is not None:
            body["finmesh"] = self._more()
        return event(body)

    def _more(self) -> dict[str, Any]:
        """What the API has no field for."""
        assert self._end is not None
        return {
            "audit_record_id": self._end.audit_record_id,
            "answerer": self._end.answerer,
            "refusal": self._end.refusal or None,
            "warnings": [_warning(each) for each in self._end.warnings],
            "scope": {"documents": list(self._scope.documents), "products": list(self._scope.products)},
        }

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": "chatcmpl-" + self.request_id,
            "object": kind,
            "created": self.created_s,
            "model": self.question.model,
            "system_fingerprint": None,
        }


def _warning(told: Any) -> dict[str, str]:
    return {"reason": told.reason, "message": told.message}


def models(scenarios: Iterable[str]) -> list[dict[str, Any]]:
    """Return the models of scenarios, as the API lists them."""
    return [{"id": KNOWLEDGE + name, "object": "model", "created": 0, "owned_by": "finmesh"} for name in scenarios]
