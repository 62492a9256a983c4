"""A drill knows which decisions are audited; records of anything else don't count, however many there are."""

from pathlib import Path

from drills.checks.audited import Audited

from tests.unit.drills.checks.logs import GAP, of_change, of_decision, writing


def test_decisions_alone_count_and_each_look_reads_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    audited = Audited(path)
    audited.look()
    assert audited.ids == set(), "there is no log yet"
    with writing(path) as audit:
        audit.write(*(of_change(number) for number in range(5)), of_decision("a"))
        audited.look()
        assert audited.ids == {"a"}
        audit.write(GAP, of_decision("b"), of_change(5))
        assert audited.ids == {"a"}, "nobody has looked"
        audited.look()
        assert audited.ids == {"a", "b"}


def test_a_long_log_is_read_in_pages(tmp_path: Path) -> None:
    path, names = tmp_path / "audit.db", [f"decision {number}" for number in range(9_000)]
    audited = Audited(path)
    with writing(path) as audit:
        audit.write(*(of_decision(name) for name in names))
        audited.look()
    assert audited.ids == set(names)
