"""What was taken once is not taken again, for as long as it could be believed."""

from __future__ import annotations

import pytest
from backends.vllm import spent
from backends.vllm.spent import Epochs
from meshkit.errors import FailedPrecondition, Overloaded


def test_a_ticket_is_spent_once_and_a_lower_epoch_is_fenced() -> None:
    epochs = Epochs(30)
    epochs.spend("h", 2, 0.0)
    for epoch, reason in ((2, "TICKET_REFUSED"), (1, "FENCED")):
        with pytest.raises(FailedPrecondition) as caught:
            epochs.spend("h", epoch, 1.0)
        assert caught.value.reason == reason
    epochs.spend("h", 3, 1.0)
    epochs.spend("other", 1, 1.0)


def test_an_attempt_that_was_begun_fences_lower_and_equal_ones() -> None:
    epochs = Epochs(30)
    epochs.begin("h", 2, 0.0)
    for epoch in (1, 2):
        with pytest.raises(FailedPrecondition) as caught:
            epochs.begin("h", epoch, 1.0)
        assert caught.value.reason == "STALE_EPOCH"


def test_it_is_bounded_and_forgets_nothing_that_could_be_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spent, "MOST", 3)
    epochs = Epochs(30)
    for number in range(3):
        epochs.spend(f"h{number}", 1, float(number))
    with pytest.raises(Overloaded):
        epochs.spend("one more", 1, 29.0)
    epochs.spend("one more", 1, 30.5)  # the first one's lease has long been over
    with pytest.raises(FailedPrecondition):
        epochs.spend("h1", 1, 30.6)
