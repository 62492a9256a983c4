"""What is done about a leg that failed: the table's verdict, carried out."""

from __future__ import annotations

from dataclasses import replace

from meshkit.clock import Clock
from meshkit.errors import MeshError

from router import ports
from router.domain.attempts import Attempts, Failure, Next, Phase, Situation, Verdict, after, failure_of, may_go_alone
from router.domain.fleet import Role
from router.domain.generation import Choice
from router.steps.pool import Nobody, Pool
from router.steps.prefill import Prefill
from router.steps.reserve import Reserve
from router.steps.run import Run

_BUSY_SHARE = 0.75


class Failover:
    """Raises what the caller gets when nothing else can be done."""

    def __init__(self, pool: Pool, reserve: Reserve, prefill: Prefill, observer: ports.Observer, clock: Clock) -> None:
        self._pool = pool
        self._observer = observer
        self._reserve = reserve
        self._prefill = prefill
        self._clock = clock

    def __call__(self, run: Run, error: MeshError) -> Verdict:
        """Judge a failure and clear away what it leaves. Raises the verdict's error."""
        failure = failure_of(error)
        run.failed_leg = Role.PREFILL if run.phase is Phase.PREFILL or failure is Failure.TRANSFER else Role.DECODE
        verdict = after(run.phase, failure, error, run.legs, run.attempts, lambda tried: self._look(run, tried), run.scenario.limits)
        run.attempts = verdict.attempts
        self._observer.failed(run.phase.value, verdict.next.value, error.reason)
        if verdict.alert:
            self._pool.unfit_pair(run.legs.prefill, run.legs.decode)
        if verdict.abort_prefill:
            self._prefill.abort(run)
        if run.phase is not Phase.PREFILL or verdict.abort_decode:
            self._reserve.release(run)  # a room that was used is spent, however its use ended
        if verdict.error is not None:
            raise verdict.error from error
        if verdict.next in (Next.DECODE_ALONE, Next.DECODE_AGAIN, Next.REPLAY):
            run.alone(verdict.attempts.degradations[-1] if verdict.attempts.degradations else "")
        elif verdict.next is Next.PREFILL_AGAIN:
            run.phase = Phase.PREFILL
        return verdict

    def may_go_alone(self, run: Run) -> bool:
        """Whether the decode worker may read the prompt of a run."""
        return may_go_alone(self._look(run, run.attempts), run.scenario.limits)

    def _look(self, run: Run, tried: Attempts) -> Situation:
        """Say what there is for a run that has tried this much."""
        handover = run.handover
        lease_left_s = 0.0
        if handover is not None and handover.ticket:
            same = replace(run.need, layout=handover.layout)
            if self._pool.pick(Role.DECODE, same, tried) is not Nobody.ABSENT:
                lease_left_s = handover.until_s - self._clock.monotonic_s()
        has_first_block = run.room.reservation.first_block if run.room else 0
        digest = run.need.model_digest
        now = Situation(
            has_prefill=isinstance(self._prefill.pick(run, tried), Choice),
            has_decode=self._pool.is_known(Role.DECODE, digest),
            is_decode_busy=self._is_busy(run),
            missing_tokens=run.admitted.prompt_tokens - has_first_block * run.model.block_tokens,
            lease_left_s=lease_left_s,
            has_other=self._pool.pick(Role.DECODE, run.need, tried) is not Nobody.ABSENT,
        )
        if not now.has_prefill and not may_go_alone(now, run.scenario.limits):
            return replace(now, has_prefill=self._pool.is_known(Role.PREFILL, digest))  # it may come back, and there is no other way
        return now

    def _is_busy(self, run: Run) -> bool:
        """Whether reading a prompt would hold up many at the decode worker, which has a row of it for this one."""
        if run.room is None:
            return False
        worker, load = run.room.worker, self._pool.load(run.room.worker.name)
        return load.queue > 0 or load.rows_used - run.need.rows > _BUSY_SHARE * worker.rows
