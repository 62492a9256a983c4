"""Redis forgets exactly what was written after the moment that is remembered."""

from pathlib import Path

import pytest
from drills.faults.inject import Cut


@pytest.mark.parametrize("name", ["appendonly.aof", "appendonlydir/appendonly.aof.2.incr.aof"])
def test_the_file_ends_again_where_it_ended_and_only_once(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"synced")
    cut = Cut(tmp_path)
    cut.remember()
    file.write_bytes(b"synced, not synced")
    cut.apply()
    assert file.read_bytes() == b"synced"
    file.write_bytes(b"synced, later")
    cut.apply()
    assert file.read_bytes() == b"synced, later"


def test_a_start_without_a_fault_cuts_nothing(tmp_path: Path) -> None:
    Cut(tmp_path / "missing").apply()
    assert not (tmp_path / "missing").exists()


def test_a_file_that_was_rewritten_meanwhile_stays(tmp_path: Path) -> None:
    file = tmp_path / "appendonly.aof"
    file.write_bytes(b"a long history of one key")
    cut = Cut(tmp_path)
    cut.remember()
    file.write_bytes(b"one key")
    cut.apply()
    assert file.read_bytes() == b"one key"
