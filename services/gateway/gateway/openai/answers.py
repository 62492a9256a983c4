"""The router's parts as answers of the API: whole ones, or the chunks of a stream.

``id`` holds the generation's own id, which its audit records name. Of several prompts it is that of the first generation that was admitted;
the answers of the second prompt are numbered behind those of the first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from finmesh.inference.v1 import generation_pb2
from finmesh.router.v1 import router_service_pb2 as router
from meshkit.errors import Unavailable

from gateway.openai.logprobs import Scored, chat_logprobs, scored, text_logprobs
from gateway.openai.requests import Asked, Kind
from gateway.openai.tools import Calls, told

_REASONS = {
    generation_pb2.FINISH_REASON_STOP: "stop",
    generation_pb2.FINISH_REASON_LENGTH: "length",
    generation_pb2.FINISH_REASON_TOOL_CALLS: "tool_calls",
}
_OBJECTS: Mapping[tuple[Kind, bool], str] = {
    ("chat", False): "chat.completion",
    ("chat", True): "chat.completion.chunk",
    ("text", False): "text_completion",
    ("text", True): "text_completion",
}
DONE = b"data: [DONE]\n\n"


def dumped(value: Any) -> bytes:
    """Return JSON as it travels."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def event(value: Any) -> bytes:
    """Return one server-sent event."""
    return b"data: " + dumped(value) + b"\n\n"


@dataclass(slots=True)
class _Choice:
    """One answer. ``characters``: told so far; texts and tokens are kept where nothing streams."""

    texts: list[str] = field(default_factory=list)
    tokens: list[Scored] = field(default_factory=list)
    characters: int = 0
    has_begun: bool = False
    reason: str = ""
    calls: Calls = field(default_factory=Calls)


class Answer:
    """One request's answers. ``take`` each part of the router, those of one prompt in order."""

    def __init__(self, asked: Asked, created_s: int) -> None:
        self._asked = asked
        self._created_s = created_s
        self._choices = [_Choice() for _ in range(len(asked.requests) * asked.choices)]
        self._first: int | None = None  # prompt whose generation gives its name to all
        self.generation_id = self.model = self._release = ""
        self._ended: dict[int, generation_pb2.UsageFacts] = {}

    def take(self, part: router.GenerateResponse, prompt: int = 0) -> list[bytes]:
        """Return the events that a part makes in a stream; none when it is no stream. Raises Unavailable for an answer that failed."""
        match part.WhichOneof("part"):
            case "admitted" if self._first is None:
                self._first, told = prompt, part.admitted
                self.generation_id, self.model, self._release = told.generation_id, told.model, told.release
            case "substituted" if self._first == prompt:
                self.model, self._release = part.substituted.model, part.substituted.release
                if not any(choice.has_begun for choice in self._choices):
                    self.generation_id = part.substituted.generation_id or self.generation_id
            case "delta":
                return self._delta(self._number(prompt, part.delta.choice), part.delta)
            case "finished":
                return self._finished(self._number(prompt, part.finished.choice), part.finished)
            case "ended":
                self._ended[prompt] = part.ended.usage
                if self.is_whole and self._asked.includes_usage:
                    return [event(self._head(streams=True) | {"choices": [], "usage": self.usage})]
        return []

    def whole(self) -> bytes:
        """Return the document of a request that does not stream. Raises Unavailable when the router did not end it."""
        if not self.is_whole:
            raise Unavailable("the answer broke off", reason="STREAM_BROKEN")
        choices = [self._document(number, choice) for number, choice in enumerate(self._choices)]
        return dumped(self._head(streams=False) | {"choices": choices, "usage": self.usage})

    @property
    def is_whole(self) -> bool:
        """Whether the router said of every prompt that this is all."""
        return len(self._ended) == len(self._asked.requests) and all(choice.reason for choice in self._choices)

    @property
    def usage(self) -> dict[str, Any]:
        """What it used, all prompts together."""
        used = list(self._ended.values())
        prompt, output = sum(each.prompt_tokens for each in used), sum(each.output_tokens for each in used)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": output,
            "total_tokens": prompt + output,
            "prompt_tokens_details": {"cached_tokens": sum(each.cached_tokens for each in used), "audio_tokens": 0},
        }

    @property
    def reasons(self) -> list[str]:
        """Why its answers ended."""
        return [choice.reason for choice in self._choices if choice.reason]

    def _number(self, prompt: int, choice: int) -> int:
        if choice >= self._asked.choices:
            raise Unavailable("an answer that nobody asked for", reason="STREAM_BROKEN")
        return prompt * self._asked.choices + choice

    def _delta(self, number: int, delta: router.Delta) -> list[bytes]:
        choice = self._choices[number]
        tokens = scored(delta.logprobs, choice.characters, len(delta.text)) if self._asked.has_logprobs else []
        choice.characters += len(delta.text)
        if not self._asked.streams:
            choice.texts.append(delta.text)
            choice.calls.take(delta.tool_calls)
            choice.tokens += tokens
            return []
        content = self._opening(choice)
        if delta.text or not delta.tool_calls:
            content["content"] = delta.text
        if delta.tool_calls:
            content["tool_calls"] = told(delta.tool_calls)
        return [self._chunk(number, content, delta.text, self._logprobs(tokens), None)]

    def _finished(self, number: int, finished: generation_pb2.ChoiceFinished) -> list[bytes]:
        reason = _REASONS.get(finished.reason)
        if reason is None:
            raise Unavailable("the answer broke off", reason="STREAM_BROKEN")
        choice = self._choices[number]
        choice.reason = reason
        if not self._asked.streams:
            return []
        return [self._chunk(number, self._opening(choice), "", None, reason)]

    def _opening(self, choice: _Choice) -> dict[str, Any]:
        """What the first chunk of an answer says of it."""
        if choice.has_begun:
            return {}
        choice.has_begun = True
        return {"role": "assistant", "content": "", "refusal": None}

    def _chunk(self, number: int, content: Mapping[str, Any], text: str, logprobs: Any, reason: str | None) -> bytes:
        said = {"delta": content} if self._asked.kind == "chat" else {"text": text}
        body = self._head(streams=True) | {"choices": [{"index": number, **said, "logprobs": logprobs, "finish_reason": reason}]}
        if self._asked.includes_usage:
            body["usage"] = None
        return event(body)

    def _document(self, number: int, choice: _Choice) -> dict[str, Any]:
        text = "".join(choice.texts)
        if self._asked.kind == "chat":
            calls = choice.calls.whole()
            content = text if text or not calls else None
            message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
            said: dict[str, Any] = {"message": message | ({"tool_calls": calls} if calls else {})}
        else:
            said = {"text": text}
        return {"index": number, **said, "logprobs": self._logprobs(choice.tokens), "finish_reason": choice.reason}

    def _logprobs(self, tokens: list[Scored]) -> Any:
        if not self._asked.has_logprobs:
            return None
        return chat_logprobs(tokens) if self._asked.kind == "chat" else text_logprobs(tokens)

    def _head(self, *, streams: bool) -> dict[str, Any]:
        prefix = "chatcmpl-" if self._asked.kind == "chat" else "cmpl-"
        return {
            "id": prefix + self.generation_id,
            "object": _OBJECTS[self._asked.kind, streams],
            "created": self._created_s,
            "model": self.model,
            "system_fingerprint": f"fp_{self._release[:12]}",
        }


def models(listed: Iterable[router.Model], aliases: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the models as the API lists them, aliases of served ones among them."""
    names = [model.name for model in listed]
    names += [alias for alias, name in aliases.items() if name in names and alias not in names]
    return [{"id": name, "object": "model", "created": 0, "owned_by": "finmesh"} for name in names]
