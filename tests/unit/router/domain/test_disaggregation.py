"""Whether a prompt is handed over, and the reason that is recorded."""

import pytest
from router.domain.disaggregation import Mode, Rates, Way, way

RATES = Rates(read_s=0.001, transfer_s=0.0001, transfer_fixed_s=0.005)


@pytest.mark.parametrize(
    ("mode", "prompt", "cached", "running", "expected"),
    [
        (Mode.NEVER, 5000, 0, 16, Way(False, "NEVER")),
        (Mode.ALWAYS, 2, 0, 0, Way(True, "ALWAYS")),
        (Mode.ALWAYS, 1, 0, 0, Way(False, "PROMPT_TINY")),
        (Mode.AUTO, 255, 0, 16, Way(False, "BELOW_THRESHOLD")),
        (Mode.AUTO, 1000, 745, 16, Way(False, "BELOW_THRESHOLD")),  # what counts is what is not cached
        (Mode.AUTO, 1000, 744, 16, Way(True, "INTERFERENCE")),
        (Mode.AUTO, 1000, 0, 0, Way(False, "TRANSFER_DEARER")),  # nobody is held up
        (Mode.AUTO, 1000, 0, 1, Way(True, "INTERFERENCE")),
    ],
)
def test_the_table(mode: Mode, prompt: int, cached: int, running: int, expected: Way) -> None:
    assert way(mode, 256, prompt, cached, running, RATES) == expected


def test_a_slow_transfer_keeps_the_prompt_where_the_answer_is_written() -> None:
    assert way(Mode.AUTO, 256, 1000, 0, 1, Rates(read_s=0.001, transfer_s=0.002)) == Way(False, "TRANSFER_DEARER")
