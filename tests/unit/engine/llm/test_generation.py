from __future__ import annotations

import pytest
from engine.llm.errors import Refused
from engine.llm.generation import ChoiceStart, Generation


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tokens": ()}, "PROMPT_EMPTY"),
        ({"tokens": range(64)}, "PROMPT_TOO_LONG"),
        ({"tokens": (1, 100)}, "TOKENS_INVALID"),
        ({"tokens": (-1, 1)}, "TOKENS_INVALID"),
        ({"namespace": b""}, "NAMESPACE_INVALID"),
        ({"max_tokens": 0}, "SAMPLING_INVALID"),
        ({"choices": tuple(ChoiceStart(number) for number in range(5))}, "CHOICES_TOO_MANY"),
        ({"choices": ()}, "CHOICES_TOO_MANY"),
        ({"choices": (ChoiceStart(1), ChoiceStart(1))}, "SAMPLING_INVALID"),
        ({"choices": (ChoiceStart(4),)}, "SAMPLING_INVALID"),
        ({"choices": (ChoiceStart(0, (100,)),)}, "TOKENS_INVALID"),
        ({"landed": True, "choices": (ChoiceStart(0, (1,)),)}, "TOKENS_INVALID"),
        ({"landed": True, "reservation_id": "r"}, "TOKENS_INVALID"),
        ({"prefill_only": True, "choices": (ChoiceStart(0, (1,)),)}, "TOKENS_INVALID"),
    ],
)
def test_what_no_row_could_hold_or_contradicts_itself_is_refused(changes: dict[str, object], reason: str) -> None:
    fields: dict[str, object] = {"request_id": "请求", "tokens": (1, 2, 3), "namespace": bytes(32), "max_tokens": 5}
    Generation(**fields).check(100, 64)  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        Generation(**{**fields, **changes}).check(100, 64)  # type: ignore[arg-type]
    assert refused.value.reason == reason
