"""Writing answers: from a ticket, whose keys and values are pulled into the reserved row first, or from a prompt that is read here.

Surprising: a pull runs on a worker into a row that the loop leaves idle, while other rows go on; the loop hears of it when everything
is verified and committed. An abort during a pull marks it: the chunk that runs ends, both sides free, and only then the end is told.
Token 0 of a ticket is neither told nor chosen again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from finmesh.engine.v1 import engine_pb2 as pb
from finmesh.inference.v1 import decode_service_pb2

from engine.handoff.errors import HandoffError, PullFailed, TicketRefused
from engine.handoff.puller import Pulled
from engine.handoff.rows import RowView
from engine.handoff.ticket import Expected, Ticket
from engine.llm.engine import Engine
from engine.llm.errors import Refused
from engine.llm.generation import ChoiceStart, Event, Finished, FinishReason, Generation, Started, Token, Usage
from engine.stub import translate
from engine.stub.outbox import Outbox
from engine.stub.translate import Identity
from engine.stub.works import Work, Works

_LOST = frozenset({"EXPIRED", "UNKNOWN", "LEASE_EXPIRED"})
_FATAL = frozenset({"FENCED", "LAYOUT_MISMATCH", "CANCELLED"})
FAILED = frozenset({FinishReason.CANCELLED, FinishReason.ERROR})
_SPENT = frozenset({"SPENT", "COMMITTED", "ID_REUSED", "ID_INVALID", "ID_TOO_OLD", "STALE_EPOCH"})


class Pulls(Protocol):
    """What fills a row from a ticket: `engine.handoff.puller.Puller`."""

    def held(self) -> list[str]:
        """Return pulls that run, one line each."""
        ...

    def pull(self, ticket: Ticket, landing: RowView, first_block: int = 0, cancelled: Callable[[], bool] = ...) -> Pulled:
        """Fill the row from block ``first_block`` on and commit. Raises PullFailed."""
        ...


class DecodeRole:
    """``submit``, on a worker, and ``told``, on the loop. ``keys``: secrets of tickets by id, asked for anew each time."""

    def __init__(
        self,
        engine: Engine,
        puller: Pulls,
        keys: Callable[[], Mapping[str, bytes]],
        identity: Identity,
        *,
        works: Works,
        outbox: Outbox,
    ) -> None:
        self._engine, self._puller, self._keys, self._identity = engine, puller, keys, identity
        self._works, self._outbox = works, outbox
        self._pulled: dict[str, decode_service_pb2.Committed] = {}

    def check(self, operation: pb.DecodeOperation) -> Ticket | None:
        """Return the ticket of a request, None without one. Raises Refused or TicketRefused before anything is begun."""
        request = operation.request
        self._identity.check(request.model_digest, request.grade)
        if not request.ticket:
            return None
        ticket = Ticket.verify(request.ticket, self._keys())
        ticket.check(
            Expected(
                layout_digest=self._identity.layout_digest,
                model_digest=self._identity.model_digest,
                tokenizer_digest=self._identity.tokenizer_digest,
                request_id=request.request_id,
                tenant_digest=request.tenant_digest,
                namespace=request.namespace,
                grade=request.grade,
                grammar_digest=self._engine.grammar_digest(translate.form(request.grammar)),
                seed=request.sampling.seed,
                choices=translate.choices(request.sampling),
                tokens=request.prompt_tokens,
            )
        )
        return ticket

    def submit(self, work: Work, operation: pb.DecodeOperation, accepted: Callable[[], None]) -> None:
        """Take a request; ``accepted`` is called when it is in order and before a pull. Raises Refused or HandoffError."""
        ticket = self.check(operation)
        if ticket is None:
            self._engine.submit(self._generation(work, operation, ()))
            accepted()
        else:
            work.handoff = (ticket.handoff_id, ticket.epoch)
            first = tuple(token.token for token in ticket.first_tokens)
            generation = self._generation(work, operation, first)
            generation.check(self._identity.manifest.vocabulary, self._engine.max_len)
            accepted()
            self._pull(work, ticket, operation.request.reservation_id)
            self._engine.submit(generation)
        if work.ending:
            self._engine.abort(work.key, work.ending)

    def _pull(self, work: Work, ticket: Ticket, reservation_id: str) -> None:
        begun_ns = time.time_ns()
        with self._engine.landing(reservation_id) as (row, held):
            # what would be all of it is pulled from the last block on: a commit is what frees the other side
            first_block = min(max(held, ticket.first_block), ticket.blocks - 1)
            if held < ticket.first_block:
                raise PullFailed("GAP", f"{ticket.first_block} blocks should be here, {held} are")
            pulled = self._puller.pull(ticket, row, first_block, lambda: bool(work.ending))
        ended_ns = time.time_ns()
        copied_ns = begun_ns + int(pulled.copy_s * 1e9)
        verified_ns = copied_ns + int(pulled.verify_s * 1e9)
        work.phase("pull", begun_ns, copied_ns)
        work.phase("verify", copied_ns, verified_ns)
        work.phase("commit", verified_ns, max(ended_ns, verified_ns))
        self._pulled[work.key] = decode_service_pb2.Committed(
            pulled_bytes=pulled.size_bytes, pull_ms=pulled.pull_s * 1e3, transport=pulled.transport, pulls=pulled.pulls
        )

    def _generation(self, work: Work, operation: pb.DecodeOperation, first: tuple[int, ...]) -> Generation:
        request = operation.request
        emitted = {each.choice: tuple(each.token_ids) for each in request.emitted}
        numbers = [number for number in range(translate.choices(request.sampling)) if number not in request.ended_choices]
        starts = {number: (first[number],) if first else emitted.get(number, ()) for number in numbers}
        if first and any(len(tokens) > 1 for tokens in emitted.values()):
            raise Refused("TOKENS_INVALID", "an answer that has gone on is continued without a ticket")
        return Generation(
            request_id=work.key,
            tokens=tuple(request.prompt_tokens),
            namespace=request.namespace,
            max_tokens=request.bounds.max_output_tokens,
            sampling=translate.sampling(request.sampling),
            choices=tuple(ChoiceStart(number, tokens) for number, tokens in starts.items()),
            form=translate.form(request.grammar),
            ignore_end=request.bounds.ignore_end,
            landed=bool(first),
            reservation_id=request.reservation_id or None,
            priority=request.priority,
            deadline=time.monotonic() + operation.timeout_ms / 1000 if operation.timeout_ms else None,
        )

    def told(self, work: Work, event: Event) -> None:
        """Take note of what befell an answer."""
        if isinstance(event, Started):
            if not event.landed:
                work.phase("queue", work.accepted_ns, event.at_ns)
            committed = self._pulled.pop(work.key, None) or decode_service_pb2.Committed()
            self._outbox.put(work.owner, pb.RowCommitted(work_id=work.work_id, committed=committed, phases=work.phases))
        elif isinstance(event, Token):
            self._outbox.put(work.owner, (work.work_id, event))
        elif isinstance(event, Finished):
            if event.reason in FAILED:
                work.failure = work.failure or Refused(event.error, event.message)
                self._engine.abort(work.key, event.error)  # no answer is given in part
            else:
                self._outbox.put(work.owner, (work.work_id, event))
            if event.is_last:
                self.ended(work, work.failure, event.usage)

    def end(self, work: Work, reason: str) -> None:
        """End an answer that nobody wants any more. A pull sees it between two blocks."""
        work.ending = work.ending or reason
        self._engine.abort(work.key, reason)

    def held(self) -> list[str]:
        """Return pulls that run."""
        return self._puller.held()

    def ended(self, work: Work, error: Exception | None, usage: Usage | None = None) -> None:
        """Tell that nothing more comes."""
        self._pulled.pop(work.key, None)
        if self._works.done(work):
            facts = None if usage is None else self._identity.usage(usage)
            why = work.why(error)
            refusal = None if why is None else translate.refusal(as_asked(why))
            self._outbox.put(work.owner, pb.RequestEnded(work_id=work.work_id, usage=facts, refusal=refusal))


def as_asked(error: Exception) -> Exception:
    """Return an error under the reason that the mesh knows (DecodeService)."""
    if isinstance(error, TicketRefused) and error.reason != "LAYOUT_MISMATCH":
        return Refused("TICKET_REFUSED", str(error))
    if isinstance(error, HandoffError) and error.reason in _SPENT:
        return Refused("TICKET_REFUSED", str(error))
    if isinstance(error, HandoffError) and error.reason in _LOST:
        return Refused("LEASE_EXPIRED", str(error))
    if isinstance(error, PullFailed) and error.reason not in _FATAL:
        return Refused("PULL_FAILED", str(error))
    if isinstance(error, Refused) and error.reason == "RESERVATION_UNKNOWN":
        return Refused("RESERVATION_LOST", error.message)
    return error
