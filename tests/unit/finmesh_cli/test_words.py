"""Every word that an answer can hold has a Chinese one."""

from __future__ import annotations

import pytest
from finmesh.inference.v1 import worker_pb2
from finmesh.risk.v1 import decision_pb2, transaction_pb2
from finmesh_cli import words
from finmesh_cli.settings import Language

ENUMS = [
    *[(words.outcome, value) for value in decision_pb2.Outcome.values() if value],
    *[(words.mode, value) for value in decision_pb2.ChannelMode.values() if value],
    *[(words.degradation, value) for value in decision_pb2.Degradation.values() if value],
    *[(words.worker_role, value) for value in worker_pb2.WorkerRole.values() if value],
    *[(words.worker_state, value) for value in worker_pb2.WorkerState.values() if value],
    *[(words.channel, value) for value in transaction_pb2.Channel.values() if value],
]


@pytest.mark.parametrize(("name", "value"), ENUMS)
def test_values_have_a_name_in_both_languages(name: object, value: int) -> None:
    assert callable(name)
    english, chinese = name(value, Language.EN), name(value, Language.ZH)
    assert english.isascii()
    assert not chinese.isascii()


def test_a_newer_value_is_its_number() -> None:
    assert words.outcome(99, Language.EN) == "99"


def test_reasons() -> None:
    assert words.reason("R_VELOCITY", Language.ZH) == "短时间内交易过于频繁"
    assert words.reason("R_VELOCITY", Language.EN) == "Many payments within a short time"
    assert words.reason("R_OF_TOMORROW", Language.ZH) == "R_OF_TOMORROW"
