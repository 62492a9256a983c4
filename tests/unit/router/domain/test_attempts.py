"""The table of failures, row by row: what is done on which failure in which phase."""

from dataclasses import replace

import pytest
from meshkit.errors import (
    DataCorrupted,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    MeshError,
    NotFound,
    Overloaded,
    PermissionDenied,
    Unavailable,
)
from router.domain.attempts import Attempts, Failure, Legs, Limits, Next, Phase, Situation, Verdict, after, failure_of

LEGS = Legs("p0@1", "d0@1")
ALONE = Legs("", "d0@1")
LIMITS = Limits(prefills=3, decodes=3, replays=2, alone_tokens=500)
DOWN = Unavailable("down", reason="CONNECTION")
LACKS = FailedPrecondition("can't do that", reason="ENGINE_LACKS_SEED")
ALL = Situation(has_prefill=True, has_decode=True, is_decode_busy=False, missing_tokens=100, lease_left_s=20.0)
TRIED = Attempts(epoch=1, prefills=1, decodes=1)


def verdict(
    phase: Phase,
    error: MeshError = DOWN,
    *,
    legs: Legs = LEGS,
    attempts: Attempts = TRIED,
    now: Situation = ALL,
    limits: Limits = LIMITS,
) -> Verdict:
    return after(phase, failure_of(error), error, legs, attempts, lambda _: now, limits)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (Unavailable("x"), Failure.DOWN),
        (Unavailable("x", reason="CIRCUIT_OPEN"), Failure.DOWN),
        (FailedPrecondition("x", reason="ENGINE_LACKS_SEED"), Failure.LACKS),
        (DeadlineExceeded("x"), Failure.DOWN),
        (MeshError("internal error"), Failure.DOWN),
        (NotFound("x", reason="WORKER_UNKNOWN"), Failure.DOWN),
        (FailedPrecondition("x", reason="MODEL_OTHER"), Failure.DOWN),
        (PermissionDenied("x", reason="PEER_NOT_ALLOWED"), Failure.DOWN),
        (Overloaded("x", reason="OVERLOADED"), Failure.BUSY),
        (NotFound("x", reason="RESERVATION_LOST"), Failure.BUSY),
        (FailedPrecondition("x", reason="LAYOUT_MISMATCH"), Failure.LAYOUT),
        (FailedPrecondition("x", reason="TICKET_REFUSED"), Failure.TRANSFER),
        (FailedPrecondition("x", reason="FENCED"), Failure.TRANSFER),
        (FailedPrecondition("x", reason="STALE_EPOCH"), Failure.TRANSFER),
        (Unavailable("x", reason="LEASE_EXPIRED"), Failure.TRANSFER),
        (Unavailable("x", reason="PULL_FAILED"), Failure.TRANSFER),
        (DataCorrupted("x"), Failure.TRANSFER),
        (InvalidArgument("x", reason="GRAMMAR_UNSATISFIABLE"), Failure.REQUEST),
        (DeadlineExceeded("x", reason="DEADLINE_TOO_NEAR"), Failure.CALLER),
        (Overloaded("x", reason="READER_TOO_SLOW"), Failure.CALLER),
    ],
)
def test_what_an_error_means(error: MeshError, failure: Failure) -> None:
    assert failure_of(error) is failure


# (row of the table, phase, error, what there is, what is done)
ROWS = [
    ("P unreachable, error, deadline: another P, new epoch", Phase.PREFILL, DOWN, ALL, Next.PREFILL_AGAIN),
    ("P too slow", Phase.PREFILL, DeadlineExceeded("late"), ALL, Next.PREFILL_AGAIN),
    ("P internal error", Phase.PREFILL, MeshError("internal error"), ALL, Next.PREFILL_AGAIN),
    ("P overloaded: another P", Phase.PREFILL, Overloaded("full"), ALL, Next.PREFILL_AGAIN),
    ("all P down, prompt short, D not busy: D alone", Phase.PREFILL, DOWN, replace(ALL, has_prefill=False), Next.DECODE_ALONE),
    ("all P down, D busy", Phase.PREFILL, DOWN, replace(ALL, has_prefill=False, is_decode_busy=True), Next.FAIL),
    ("all P down, prompt long", Phase.PREFILL, DOWN, replace(ALL, has_prefill=False, missing_tokens=501), Next.FAIL),
    ("layout differs, told by P", Phase.PREFILL, FailedPrecondition("", reason="LAYOUT_MISMATCH"), ALL, Next.PREFILL_AGAIN),
    ("layout differs, told by D", Phase.HANDOVER, FailedPrecondition("", reason="LAYOUT_MISMATCH"), ALL, Next.PREFILL_AGAIN),
    ("P lacks something: another P", Phase.PREFILL, LACKS, ALL, Next.PREFILL_AGAIN),
    ("D lacks something: same ticket to another D", Phase.HANDOVER, LACKS, ALL, Next.SAME_TICKET),
    ("D lacks something and nobody else is there", Phase.HANDOVER, LACKS, replace(ALL, has_other=False), Next.FAIL),
    ("D lacks something and had committed", Phase.COMMITTED, LACKS, ALL, Next.PREFILL_AGAIN),
    ("D lacks something that the answer needs to go on", Phase.STREAMING, LACKS, ALL, Next.REPLAY),
    ("checksum twice wrong: new epoch", Phase.HANDOVER, DataCorrupted("sum"), ALL, Next.PREFILL_AGAIN),
    ("short read or gap twice: new epoch", Phase.HANDOVER, Unavailable("", reason="PULL_FAILED"), ALL, Next.PREFILL_AGAIN),
    ("lease expired: new epoch on another P", Phase.HANDOVER, Unavailable("", reason="LEASE_EXPIRED"), ALL, Next.PREFILL_AGAIN),
    ("ticket refused: new epoch", Phase.HANDOVER, FailedPrecondition("", reason="TICKET_REFUSED"), ALL, Next.PREFILL_AGAIN),
    ("transfer failed and no P left: D alone", Phase.HANDOVER, DataCorrupted("sum"), replace(ALL, has_prefill=False), Next.DECODE_ALONE),
    ("D dies before the first token: same ticket to another D", Phase.HANDOVER, DOWN, ALL, Next.SAME_TICKET),
    ("D dies, lease over: new epoch", Phase.HANDOVER, DOWN, replace(ALL, lease_left_s=0.0), Next.PREFILL_AGAIN),
    ("D dies after commit: new epoch", Phase.COMMITTED, DOWN, ALL, Next.PREFILL_AGAIN),
    ("D dies after commit, no P left", Phase.COMMITTED, DOWN, replace(ALL, has_prefill=False), Next.DECODE_AGAIN),
    ("D dies and no other D", Phase.HANDOVER, DOWN, replace(ALL, has_decode=False), Next.FAIL),
    ("D overloaded on arrival: another D", Phase.HANDOVER, Overloaded("full"), ALL, Next.SAME_TICKET),
    ("D lost the reservation: another D", Phase.HANDOVER, NotFound("", reason="RESERVATION_LOST"), ALL, Next.SAME_TICKET),
    ("D dies mid-stream, scenario replays", Phase.STREAMING, DOWN, ALL, Next.REPLAY),
    ("D overloaded mid-stream", Phase.STREAMING, Overloaded("evicted"), ALL, Next.REPLAY),
    ("D dies mid-stream and no other D of this model", Phase.STREAMING, DOWN, replace(ALL, has_decode=False), Next.FAIL),
    *[("the request is wrong", phase, InvalidArgument("no"), ALL, Next.FAIL) for phase in Phase],
    *[("the caller's deadline is over", phase, DeadlineExceeded("", reason="DEADLINE_TOO_NEAR"), ALL, Next.FAIL) for phase in Phase],
    ("the reader is too slow", Phase.STREAMING, Overloaded("", reason="READER_TOO_SLOW"), ALL, Next.FAIL),
]


@pytest.mark.parametrize(("row", "phase", "error", "now", "expected"), ROWS)
def test_the_table(row: str, phase: Phase, error: MeshError, now: Situation, expected: Next) -> None:
    said = verdict(phase, error, now=now)
    assert said.next is expected, row
    assert (said.error is not None) == (expected is Next.FAIL), row


def test_every_pair_of_phase_and_failure_has_a_row() -> None:
    possible = {(phase, failure) for phase in Phase for failure in Failure}
    # Nothing is transferred, and no layout compared, once a row has committed.
    possible -= {(phase, failure) for phase in (Phase.COMMITTED, Phase.STREAMING) for failure in (Failure.TRANSFER, Failure.LAYOUT)}
    possible -= {(Phase.PREFILL, Failure.TRANSFER), (Phase.COMMITTED, Failure.BUSY)}
    assert {(phase, failure_of(error)) for _, phase, error, _, _ in ROWS} >= possible


def test_retries_are_bounded() -> None:
    spent = Attempts(epoch=3, prefills=3, decodes=3, replays=2)
    assert verdict(Phase.PREFILL, attempts=spent).next is Next.DECODE_ALONE
    assert verdict(Phase.PREFILL, attempts=spent, now=replace(ALL, missing_tokens=501)).next is Next.FAIL
    assert verdict(Phase.HANDOVER, attempts=spent).next is Next.FAIL
    assert verdict(Phase.STREAMING, attempts=spent).next is Next.FAIL


def test_a_worker_that_failed_is_excluded_and_one_whose_hand_off_failed_is_avoided() -> None:
    assert verdict(Phase.PREFILL).attempts.excluded == {"p0@1"}
    assert verdict(Phase.HANDOVER).attempts.excluded == {"d0@1"}
    assert verdict(Phase.STREAMING).attempts.excluded == {"d0@1"}
    refused = verdict(Phase.HANDOVER, DataCorrupted("sum")).attempts
    assert (refused.excluded, refused.avoided) == (frozenset(), {"p0@1"})
    busy = verdict(Phase.HANDOVER, Overloaded("full")).attempts
    assert (busy.excluded, busy.avoided) == (frozenset(), {"d0@1"})


def test_a_pair_with_different_layouts_is_excluded_and_alarms() -> None:
    said = verdict(Phase.HANDOVER, FailedPrecondition("", reason="LAYOUT_MISMATCH"))
    assert said.alert == "LAYOUT_MISMATCH"
    assert said.attempts.excluded_pairs == {("p0@1", "d0@1")}
    assert said.attempts.excluded == frozenset()
    unfit = verdict(
        Phase.HANDOVER, FailedPrecondition("", reason="LAYOUT_MISMATCH"), now=replace(ALL, has_prefill=False, is_decode_busy=True)
    )
    assert unfit.error is not None and unfit.error.reason == "LAYOUT_MISMATCH"


def test_going_on_without_prefill_workers_is_marked() -> None:
    nobody = replace(ALL, has_prefill=False)
    assert verdict(Phase.PREFILL, now=nobody).attempts.degradations == ("PREFILL_DOWN",)
    assert verdict(Phase.PREFILL, Overloaded("full"), now=nobody).attempts.degradations == ("PREFILL_BUSY",)
    assert verdict(Phase.COMMITTED, now=nobody).attempts.degradations == ("PREFILL_DOWN",)


def test_both_halves_are_ended_when_it_fails_and_the_failed_half_when_it_goes_on() -> None:
    failed = verdict(Phase.HANDOVER, InvalidArgument("no"))
    assert failed.abort_prefill and failed.abort_decode
    assert verdict(Phase.PREFILL).abort_prefill and not verdict(Phase.PREFILL).abort_decode  # the reservation is still good
    same = verdict(Phase.HANDOVER)
    assert same.abort_decode and not same.abort_prefill  # the ticket is still good
    assert verdict(Phase.COMMITTED).abort_prefill and verdict(Phase.COMMITTED).abort_decode


def test_what_the_caller_is_told() -> None:
    nobody = replace(ALL, has_prefill=False, has_decode=False, is_decode_busy=True)
    for phase, error, reason in [
        (Phase.PREFILL, DOWN, "NO_WORKER"),
        (Phase.HANDOVER, DOWN, "NO_WORKER"),
        (Phase.PREFILL, Overloaded("full"), "OVERLOADED"),
        (Phase.HANDOVER, Overloaded("full"), "OVERLOADED"),
        (Phase.STREAMING, DOWN, "STREAM_BROKEN"),
        (Phase.PREFILL, InvalidArgument("no", reason="SCHEMA_INVALID"), "SCHEMA_INVALID"),
    ]:
        said = verdict(phase, error, now=nobody)
        assert said.error is not None and said.error.reason == reason
    broken = verdict(Phase.STREAMING, now=nobody).error
    assert broken is not None and broken.metadata == {"because": "CONNECTION"}


def test_a_scenario_may_forbid_to_go_on_after_the_first_byte() -> None:
    said = verdict(Phase.STREAMING, limits=replace(LIMITS, replay=False))
    assert said.next is Next.FAIL
    assert said.error is not None and said.error.reason == "STREAM_BROKEN"


def test_without_a_hand_over_another_worker_reads_the_prompt() -> None:
    assert verdict(Phase.HANDOVER, legs=ALONE).next is Next.DECODE_AGAIN
    assert verdict(Phase.COMMITTED, legs=ALONE).next is Next.DECODE_AGAIN
    assert verdict(Phase.HANDOVER, DataCorrupted("?"), legs=ALONE).next is Next.DECODE_AGAIN


def test_epochs_only_grow_and_failures_survived_are_counted() -> None:
    first = Attempts().began_prefill().began_decode()
    assert (first.epoch, first.failovers) == (1, 0)
    assert first.began_prefill().epoch == 2
    assert first.began_prefill().began_decode().failovers == 2


def test_an_engine_that_lacks_something_is_no_failover() -> None:
    found = verdict(Phase.HANDOVER, LACKS, legs=ALONE)
    assert (found.next, found.attempts.decodes, found.attempts.excluded) == (Next.DECODE_AGAIN, 0, frozenset({"d0@1"}))
    told = verdict(Phase.HANDOVER, LACKS, legs=ALONE, now=replace(ALL, has_other=False)).error
    assert told is LACKS, "nobody else is there: the caller is told by name"
