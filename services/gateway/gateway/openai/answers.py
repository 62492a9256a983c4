"""The router's parts as answers of the API: whole ones, or the chunks of a stream.

``id`` holds the generation's own id, which its audit records name. Of a token the router tells its id alone, so log-probabilities name
tokens as ``token_id:N``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from finmesh.inference.v1 import generation_pb2
from finmesh.router.v1 import router_service_pb2 as router
from meshkit.errors import Unavailable

from gateway.openai.requests import Asked, Kind

_REASONS = {generation_pb2.FINISH_REASON_STOP: "stop", generation_pb2.FINISH_REASON_LENGTH: "length"}
_OBJECTS: Mapping[tuple[Kind, bool], str] = {
    ("chat", False): "chat.completion",
    ("chat", True): "chat.completion.chunk",
    ("text", False): "text_completion",
    ("text", True): "text_completion",
}
DONE = b"data: [DONE]\n\n"


def dumped(value: Any) -> bytes:
    """Return JSON as it travels."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(value: Any) -> bytes:
    """Return one server-sent event."""
    return b"data: " + dumped(value) + b"\n\n"


class Answer:
    """One request's answers. ``take`` each part of the router in order."""

    def __init__(self, asked: Asked, created_s: int) -> None:
        self._asked = asked
        self._created_s = created_s
        self._admitted = router.Admitted()
        self._texts: dict[int, list[str]] = {}
        self._tokens: dict[int, list[generation_pb2.Token]] = {}
        self._reasons: dict[int, str] = {}
        self._begun: set[int] = set()
        self._usage: Mapping[str, Any] | None = None

    def take(self, part: router.GenerateResponse) -> list[bytes]:
        """Return the events that a part makes in a stream; none when it is no stream. Raises Unavailable for an answer that failed."""
        if part.HasField("admitted"):
            self._admitted = part.admitted
        elif part.HasField("delta"):
            return self._delta(part.delta)
        elif part.HasField("finished"):
            return self._finished(part.finished)
        elif part.HasField("ended"):
            return self._ended(part.ended.usage)
        return []

    def whole(self) -> bytes:
        """Return the document of a request that does not stream. Raises Unavailable when the router did not end it."""
        if self._usage is None:
            raise Unavailable("the answer broke off", reason="STREAM_BROKEN")
        choices = [self._choice(number) for number in range(max(1, self._admitted.choices))]
        return dumped(self._head(streams=False) | {"choices": choices, "usage": self._usage})

    @property
    def is_whole(self) -> bool:
        """Whether the router said that this is all."""
        return self._usage is not None

    def _delta(self, delta: router.Delta) -> list[bytes]:
        if not self._asked.streams:
            self._texts.setdefault(delta.choice, []).append(delta.text)
            self._tokens.setdefault(delta.choice, []).extend(delta.logprobs)
            return []
        logprobs = self._logprobs(delta.logprobs)
        content = self._opening(delta.choice) | {"content": delta.text}
        return [self._chunk(delta.choice, content, delta.text, logprobs, None)]

    def _finished(self, finished: generation_pb2.ChoiceFinished) -> list[bytes]:
        reason = _REASONS.get(finished.reason)
        if reason is None:
            raise Unavailable("the answer broke off", reason="STREAM_BROKEN")
        self._reasons[finished.choice] = reason
        if not self._asked.streams:
            return []
        return [self._chunk(finished.choice, self._opening(finished.choice), "", None, reason)]

    def _ended(self, usage: generation_pb2.UsageFacts) -> list[bytes]:
        self._usage = {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.prompt_tokens + usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        }
        if not self._asked.includes_usage:
            return []
        return [event(self._head(streams=True) | {"choices": [], "usage": self._usage})]

    def _opening(self, choice: int) -> dict[str, Any]:
        """What the first chunk of an answer says of it."""
        if choice in self._begun:
            return {}
        self._begun.add(choice)
        return {"role": "assistant", "content": "", "refusal": None}

    def _chunk(self, choice: int, content: Mapping[str, Any], text: str, logprobs: Any, reason: str | None) -> bytes:
        said = {"delta": content} if self._asked.kind == "chat" else {"text": text}
        body = self._head(streams=True) | {"choices": [{"index": choice, **said, "logprobs": logprobs, "finish_reason": reason}]}
        if self._asked.includes_usage:
            body["usage"] = None
        return event(body)

    def _choice(self, number: int) -> dict[str, Any]:
        text = "".join(self._texts.get(number, []))
        if self._asked.kind == "chat":
            said: dict[str, Any] = {"message": {"role": "assistant", "content": text, "refusal": None, "annotations": []}}
        else:
            said = {"text": text}
        logprobs = self._logprobs(self._tokens.get(number, []))
        return {"index": number, **said, "logprobs": logprobs, "finish_reason": self._reasons.get(number, "length")}

    def _logprobs(self, tokens: Iterable[generation_pb2.Token]) -> Any:
        if not self._asked.has_logprobs:
            return None
        if self._asked.kind == "chat":
            return {"content": [_chat_token(token) for token in tokens], "refusal": None}
        tokens = list(tokens)
        names = [_name(token.token_id) for token in tokens]
        return {
            "tokens": names,
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [{_name(each.token_id): each.logprob for each in token.top} for token in tokens],
            "text_offset": [],
        }

    def _head(self, *, streams: bool) -> dict[str, Any]:
        prefix = "chatcmpl-" if self._asked.kind == "chat" else "cmpl-"
        return {
            "id": prefix + self._admitted.generation_id,
            "object": _OBJECTS[self._asked.kind, streams],
            "created": self._created_s,
            "model": self._admitted.model,
            "system_fingerprint": f"fp_{self._admitted.release[:12]}",
        }


def _name(token_id: int) -> str:
    return f"token_id:{token_id}"


def _chat_token(token: generation_pb2.Token) -> dict[str, Any]:
    top = [{"token": _name(each.token_id), "logprob": each.logprob, "bytes": None} for each in token.top]
    return {"token": _name(token.token_id), "logprob": token.logprob, "bytes": None, "top_logprobs": top}


def models(listed: Iterable[router.Model], aliases: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the models as the API lists them, aliases of served ones among them."""
    names = [model.name for model in listed]
    names += [alias for alias, name in aliases.items() if name in names and alias not in names]
    return [{"id": name, "object": "model", "created": 0, "owned_by": "finmesh"} for name in names]
