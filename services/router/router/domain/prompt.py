"""What is wrong with a prompt before anything is done with it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from meshkit.errors import FieldViolation, InvalidArgument

from router.domain.generation import Conversation, Input, Text
from router.domain.tools import check_turns


@dataclass(frozen=True, slots=True)
class PromptLimits:
    """``max_bytes``: longest text of a prompt, and longest rendered template."""

    max_bytes: int = 1 << 20
    max_messages: int = 512


def checked(prompt: Input, roles: Collection[str], vocabulary: int, limits: PromptLimits) -> int:
    """Return the bytes of a prompt's text.

    Raises InvalidArgument: PROMPT_EMPTY, PROMPT_TOO_LONG, ROLE_UNKNOWN, TEXT_INVALID, TOKENS_INVALID, and of calls of tools
    TOOL_CALL_INVALID, TOOL_CALL_UNKNOWN, NAME_UNSUPPORTED.
    """
    if isinstance(prompt, Conversation):
        return _conversation(prompt, roles, limits)
    if isinstance(prompt, Text):
        size = _bytes(prompt.text, "text")
        _bounded(size, limits)
        return size
    if not prompt.ids:
        raise _empty()
    wrong = next((number for number, each in enumerate(prompt.ids) if not 0 <= each < vocabulary), None)
    if wrong is not None:
        raise _violated("TOKENS_INVALID", f"tokens.ids[{wrong}]", f"the vocabulary has {vocabulary} ids")
    return 0


def _conversation(prompt: Conversation, roles: Collection[str], limits: PromptLimits) -> int:
    if len(prompt.messages) > limits.max_messages:
        raise too_long(f"{len(prompt.messages)} messages, where {limits.max_messages} are taken")
    size = 0
    for number, message in enumerate(prompt.messages):
        place = f"conversation.messages[{number}]"
        if message.role not in roles:
            raise _violated("ROLE_UNKNOWN", f"{place}.role", f"one of {', '.join(sorted(roles))}")
        size += _bytes(message.content, f"{place}.content")
        size += sum(_bytes(call.arguments, f"{place}.tool_calls[{at}].arguments") for at, call in enumerate(message.calls))
    check_turns(prompt.messages)
    if not size:
        raise _empty()
    size += sum(len(tool.parameters.encode()) + len(tool.description.encode()) + len(tool.name) for tool in prompt.tools)
    _bounded(size, limits)
    return size


def _bytes(text: str, place: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise _violated("TEXT_INVALID", place, f"no text at character {error.start}: half of a surrogate pair") from None


def _bounded(size: int, limits: PromptLimits) -> None:
    if not size:
        raise _empty()
    if size > limits.max_bytes:
        raise too_long(f"{size} bytes, where {limits.max_bytes} may fit")


def too_long(why: str) -> InvalidArgument:
    """Return the error of a prompt that does not fit."""
    return InvalidArgument(f"the prompt is too long: {why}", reason="PROMPT_TOO_LONG")


def _empty() -> InvalidArgument:
    return InvalidArgument("there is nothing to answer", reason="PROMPT_EMPTY")


def _violated(reason: str, field: str, why: str) -> InvalidArgument:
    return InvalidArgument(f"{field}: {why}", reason=reason, violations=(FieldViolation(field, why),))
