"""Passages of superseded versions demand both: their own demands and those of the newest version."""

from hypothesis import given
from hypothesis import strategies as st
from rag.domain.access import Access, Reader
from rag.domain.document import FOREVER

NAMES = st.frozensets(st.sampled_from(["精算", "法务", "c"]))
TIMES = st.none() | st.integers(0, 5)


@st.composite
def accesses(draw: st.DrawFn) -> Access:
    publish, expires = draw(TIMES), draw(TIMES)
    if publish is not None and expires is not None and expires <= publish:
        expires = None
    return Access(
        grade=draw(st.integers(1, 3)),
        groups=draw(NAMES),
        barriers=draw(NAMES),
        purposes=draw(NAMES),
        publish_at_us=publish,
        expires_at_us=expires,
    )


readers = st.builds(
    Reader,
    tenant=st.just("t"),
    principal=st.just("p"),
    purpose=st.sampled_from(["精算", "法务", "c", ""]),
    clearance=st.integers(1, 4),
    groups=NAMES,
    barriers=NAMES,
)


@given(accesses(), accesses(), readers, st.integers(0, 6))
def test_nobody_reads_it_who_does_not_meet_both(own: Access, newest: Access, reader: Reader, now_us: int) -> None:
    if reader.may_read(own.narrowed(newest), now_us):
        assert reader.may_read(own, now_us) and reader.may_read(newest, now_us)


@given(accesses(), readers, st.integers(0, 6))
def test_equal_demands_stay_what_they_are(own: Access, reader: Reader, now_us: int) -> None:
    assert own.narrowed(own) == own
    assert own.narrowed(Access(1)) == Access(1).narrowed(own) == own


def test_groups_that_have_nothing_in_common_let_nobody_in() -> None:
    narrowed = Access(1, frozenset({"甲"})).narrowed(Access(1, frozenset({"乙"})))
    assert not Reader("t", "p", "", 4, frozenset({"甲", "乙"})).may_read(narrowed, 0)


def test_an_embargo_behind_the_expiry_lets_nobody_in() -> None:
    narrowed = Access(1, publish_at_us=5).narrowed(Access(1, expires_at_us=3))
    assert not any(Reader("t", "p", "", 4).may_read(narrowed, now_us) for now_us in (0, 3, 4, 5, FOREVER))
