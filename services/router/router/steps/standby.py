"""Standby: who answers in the place of a model that can't, before the first byte of an answer and never after it.

A model is down by leg: when nobody could write with it, or nobody read its prompts, the next request for it goes on to the equivalent at
once, until the pause of that leg's breaker is over and one request finds out. A breaker turns nobody away who has nobody to go on to. What
a standby may see, and for what purpose, is checked at this hop again, with the table that is in force now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from meshkit.breaker import CircuitBreaker, State
from meshkit.clock import Clock
from meshkit.errors import MeshError

from router import ports
from router.domain.attempts import Attempts, Phase, no_worker
from router.domain.disaggregation import Mode
from router.domain.fleet import Role
from router.domain.generation import Choice, Instead
from router.domain.standby import is_its_own
from router.steps.admission import Admission
from router.steps.pool import Pool
from router.steps.run import Run, Stead


class Standbys:
    """``open_s``: the pause of a leg that was found down."""

    def __init__(self, admission: Admission, pool: Pool, observer: ports.Observer, clock: Clock, *, open_s: float) -> None:
        self._admission = admission
        self._pool = pool
        self._observer = observer
        self._clock = clock
        self._open_s = open_s
        self._breakers: dict[tuple[Role, bytes], CircuitBreaker] = {}

    def check(self, run: Run) -> None:
        """Raise Unavailable (NO_WORKER) for a model that is known to be down, when there is a standby."""
        if not run.standbys:
            return
        for role in self._legs(run):
            if not self._may_try(role, run):
                run.failed_leg = role
                raise no_worker(f"its {role.value} workers failed a moment ago")

    def worked(self, run: Run) -> None:
        """Note that a model answers."""
        for role in (Role.DECODE, Role.PREFILL) if run.integrity else (Role.DECODE,):
            if (breaker := self._breakers.get((role, run.model.digest))) is not None:
                breaker.worked()

    async def after(self, run: Run, error: MeshError) -> Run:
        """Return the run of the next equivalent. Raises the error that the caller gets when there is none."""
        if run.phase is Phase.STREAMING:
            raise error
        if error.reason == "NO_WORKER" and self._is_down(run):
            self._breaker(run.failed_leg, run).failed()
        stead = run.stead
        if stead is None:
            left = [each for each in run.standbys if each.answers_for(error)]
            stead = Stead(run, error, left)
        elif is_its_own(error):
            stead.became[run.model.name] = error.reason
        else:
            raise error  # the caller's own time is over, or nothing can be recorded: another model changes nothing
        while stead.left:
            standby = stead.left.pop(0)
            instead = Instead(stead.first.model.name, stead.first.admitted.generation_id, stead.error.reason)
            try:
                following = await self._admission.standby(stead.first, standby, instead)
                following.stead = stead
                self.check(following)
            except MeshError as refused:
                stead.became[standby.model] = refused.reason
                continue
            self._observer.substituted(instead.model, standby.model, stead.first.failed_leg.value, instead.reason)
            return following
        raise stead.told()

    def _legs(self, run: Run) -> Iterable[Role]:
        """Return the legs that the model can't do without for this prompt."""
        needs_prefill = run.scenario.disaggregation is not Mode.NEVER and run.admitted.prompt_tokens > run.scenario.limits.alone_tokens
        return (Role.DECODE, Role.PREFILL) if needs_prefill else (Role.DECODE,)

    def _may_try(self, role: Role, run: Run) -> bool:
        """Whether to try a leg: one that was found down is tried again after its pause, if there is anybody to be tried."""
        breaker = self._breaker(role, run)
        if breaker.state is State.CLOSED:
            return True
        need = run.need if role is Role.DECODE else replace(run.need, tokens=run.admitted.prompt_tokens, rows=1)
        return isinstance(self._pool.pick(role, need, run.attempts), Choice) and breaker.may_try()

    def _is_down(self, run: Run) -> bool:
        """Whether the model is down, rather than this request unfit for whoever is there: a worker failed, or there is none at all."""
        anything = replace(run.need, block_ids=(), tokens=0, grade=0, rows=1, layout=b"")
        return bool(run.attempts.excluded) or not isinstance(self._pool.pick(run.failed_leg, anything, Attempts()), Choice)

    def _breaker(self, role: Role, run: Run) -> CircuitBreaker:
        key = role, run.model.digest
        return self._breakers.setdefault(key, CircuitBreaker(failures=1, open_s=self._open_s, clock=self._clock))
