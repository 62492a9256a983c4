"""Who answers in whose place: what decides before any worker is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from meshkit.clock import FakeClock
from meshkit.errors import MeshError, Overloaded, Unavailable
from router.domain.attempts import Phase, no_worker
from router.domain.fleet import Role
from router.domain.standby import Standby
from router.steps.standby import Standbys

LISTED = Standby("a", "b", 3, frozenset({"staff-assistance"}), when_full=True)


def run_of(phase: Phase) -> Any:
    model = SimpleNamespace(name="a", digest=b"a")
    admitted = SimpleNamespace(generation_id="g-1", prompt_tokens=3)
    attempts = SimpleNamespace(excluded=frozenset({"d-1@1"}))
    return SimpleNamespace(
        phase=phase, standbys=(LISTED,), stead=None, model=model, admitted=admitted, attempts=attempts, failed_leg=Role.DECODE, need=None
    )


def standbys(admission: Any) -> Standbys:
    return Standbys(admission, MagicMock(), MagicMock(), FakeClock(), open_s=1.0)


@pytest.mark.parametrize("error", [no_worker("gone"), Overloaded("full", reason="OVERLOADED")])
async def test_after_the_first_byte_nobody_is_asked_whatever_the_error(error: MeshError, monkeypatch: pytest.MonkeyPatch) -> None:
    admission = SimpleNamespace(standby=AsyncMock(side_effect=Unavailable("b is down", reason="NO_WORKER")))
    monkeypatch.setattr(Standbys, "_is_down", lambda *_: True)
    with pytest.raises(type(error)) as caught:
        await standbys(admission).after(run_of(Phase.STREAMING), error)
    assert caught.value is error and not admission.standby.called
    with pytest.raises(type(error)) as caught:
        await standbys(admission).after(run_of(Phase.COMMITTED), error)
    assert caught.value.metadata["standbys"] == "b=NO_WORKER" and admission.standby.called


@pytest.mark.parametrize("reason", ["EVIDENCE_DOWN", "DEADLINE_TOO_NEAR", "STREAM_BROKEN", "NOT_RECORDED"])
async def test_what_another_model_can_t_mend_is_told_as_it_is(reason: str) -> None:
    admission = SimpleNamespace(standby=AsyncMock())
    error = Unavailable("no", reason=reason)
    with pytest.raises(Unavailable) as caught:
        await standbys(admission).after(run_of(Phase.PREFILL), error)
    assert caught.value is error and not admission.standby.called
