"""Copies of a process count with their first."""

from types import SimpleNamespace
from typing import Any, cast

from bench import growth
from bench.processes import Usage


def test_a_copy_counts_with_its_first_and_nobody_elses_does() -> None:
    used = {"risk-rpc": Usage(100, 2), "risk-rpc-2": Usage(90, 1), "gateway": Usage(50, 3), "redis-2": Usage(1, 1)}
    site = cast(Any, SimpleNamespace(usage=lambda: used))
    assert growth.summed(site, {"risk-rpc": 2}) == {"risk-rpc": Usage(190, 3), "gateway": Usage(50, 3), "redis-2": Usage(1, 1)}
    assert growth.summed(site, {}) == used
