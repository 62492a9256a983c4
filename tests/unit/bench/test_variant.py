"""Copies of a process count with their first; a setting reaches whoever reads it."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from localmesh.rows import Row

from bench import variant
from bench.processes import Usage


def test_a_copy_counts_with_its_first_and_nobody_elses_does() -> None:
    used = {"risk-rpc": Usage(100, 2), "risk-rpc-2": Usage(90, 1), "gateway": Usage(50, 3), "redis-2": Usage(1, 1)}
    site = cast(Any, SimpleNamespace(usage=lambda: used))
    assert variant.summed(site, {"risk-rpc": 2}) == {"risk-rpc": Usage(190, 3), "gateway": Usage(50, 3), "redis-2": Usage(1, 1)}
    assert variant.summed(site, {}) == used


def test_a_setting_reaches_whoever_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Row(name="risk-stream", command=("true",), reads=frozenset({"FINMESH_COMPACT_*"}), env={"FINMESH_COMPACT_AFTER_S": "600"})
    other = Row(name="audit", command=("true",))
    monkeypatch.setattr(variant, "table", lambda places, ports, copies: [reader, other])
    monkeypatch.setattr(variant, "NAMES", ("risk-stream", "audit"))
    found = variant.Variant(settings={"FINMESH_COMPACT_AFTER_S": "1"}).rows(cast(Any, None), cast(Any, None))
    assert found == [replace(reader, env={"FINMESH_COMPACT_AFTER_S": "1"}), other]
    with pytest.raises(LookupError, match="nobody reads FINMESH_NO_SUCH"):
        variant.Variant(settings={"FINMESH_NO_SUCH": "1"}).rows(cast(Any, None), cast(Any, None))
