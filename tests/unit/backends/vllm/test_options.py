"""What of a pair of engines can be seen to be wrong."""

from __future__ import annotations

from typing import Any

import pytest
from backends.vllm.options import VllmPair
from meshkit.errors import FailedPrecondition


@pytest.mark.parametrize(
    "options",
    [
        {"lease_s": 21.0},
        {"lease_s": 0.0},
        {"lease_s": 20.0, "engine_lease_s": 29.0},
        {"kv_events": "tcp://*:5557"},
        {"kv_events": "tcp://0.0.0.0:5557"},
        {"kv_events": "tcp://10.1.2.3:5557"},
        {"kv_events": "udp://127.0.0.1:5557"},
        {"kv_events": "127.0.0.1:5557"},
        {"kv_events": "ipc://"},
        {"kv_events": "tcp://127.0.0.1:1", "kv_replay": "tcp://10.1.2.3:2"},
        {"kv_replay": "tcp://127.0.0.1:2"},
    ],
)
def test_what_would_be_unsafe_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        VllmPair(**options)
    assert caught.value.reason == "ACCELERATORS_INVALID"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kv_events": "tcp://127.0.0.1:5557", "kv_replay": "tcp://[::1]:5558"},
        {"kv_events": "ipc:///run/kv"},
        {"lease_s": 2, "engine_lease_s": 3},
    ],
)
def test_what_is_right(options: dict[str, Any]) -> None:
    VllmPair(**options)
