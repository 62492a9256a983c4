"""Reading prompts: reserve room in the arena, let the engine read, pack and publish, tell the ticket.

Surprising: room is taken before the prompt is read, so that a full arena refuses and nothing is computed in vain; and a higher epoch
ends the lower ones wherever they are, in the queue, in a step or while they are packed. Blocks are packed beside the next chunk, so
that little is left to do when the first token is there. When every answer ends with its first token, nothing is published.
"""

from __future__ import annotations

import time
import traceback
from concurrent.futures import Executor
from contextlib import suppress

from finmesh.engine.v1 import engine_pb2 as pb
from finmesh.inference.v1 import prefill_service_pb2

from engine.handoff.chain import block_ids
from engine.handoff.claims import Claims, FirstToken
from engine.handoff.errors import HandoffError
from engine.handoff.errors import Refused as HandoffRefused
from engine.handoff.publisher import Publisher
from engine.llm.engine import Engine
from engine.llm.errors import Refused
from engine.llm.generation import ChoiceStart, Event, Finished, Generation, Prefilled, Progress, Started, Token, Usage
from engine.stub import translate
from engine.stub.decode import FAILED
from engine.stub.outbox import Outbox
from engine.stub.pack import finished, token_message
from engine.stub.translate import Identity
from engine.stub.works import Work, Works

_RESERVED_S = 60.0


class PrefillRole:
    """``submit``, on a worker, and ``told``, on the loop. ``asked``: requests by the work's key, until they are published."""

    def __init__(self, engine: Engine, publisher: Publisher, identity: Identity, *, works: Works, outbox: Outbox, pool: Executor) -> None:
        self._engine, self.publisher, self._identity = engine, publisher, identity
        self._works, self._outbox, self._pool = works, outbox, pool
        self._asked: dict[str, prefill_service_pb2.PrefillRequest] = {}

    def submit(self, work: Work, operation: pb.PrefillOperation) -> None:
        """Take a prompt. Raises Refused or HandoffError; then nothing is held."""
        request = operation.request
        self._identity.check(request.model_digest, request.grade)
        if request.layout_digest != self._identity.layout_digest:
            raise Refused("LAYOUT_MISMATCH", "the decode side lays keys and values out otherwise")
        generation = self._generation(work, operation)
        generation.check(self._identity.manifest.vocabulary, self._engine.max_len)
        timeout_s = translate.seconds(operation.timeout_ms, _RESERVED_S, 600.0)
        for lower in self._works.of_handoff(request.handoff_id, request.epoch - 1):
            self.end(lower, "FENCED")
        self.publisher.reserve(
            request.handoff_id, request.epoch, len(request.prompt_tokens), first_block=request.first_block, ttl_s=timeout_s + _RESERVED_S
        )
        try:
            self._asked[work.key] = request
            self._engine.submit(generation)
        except BaseException:
            self._drop(work, "REFUSED")
            raise
        if work.ending:
            self._engine.abort(work.key, work.ending)

    def _generation(self, work: Work, operation: pb.PrefillOperation) -> Generation:
        request = operation.request
        return Generation(
            request_id=work.key,
            tokens=tuple(request.prompt_tokens),
            namespace=request.namespace,
            max_tokens=request.bounds.max_output_tokens,
            sampling=translate.sampling(request.sampling),
            choices=tuple(ChoiceStart(number) for number in range(translate.choices(request.sampling))),
            form=translate.form(request.grammar),
            ignore_end=request.bounds.ignore_end,
            prefill_only=True,
            priority=request.priority,
            deadline=time.monotonic() + operation.timeout_ms / 1000 if operation.timeout_ms else None,
        )

    def told(self, work: Work, event: Event) -> None:
        """Take note of what befell a prompt."""
        if isinstance(event, Started):
            work.phase("queue", work.accepted_ns, event.at_ns)
            work.begun_ns = event.at_ns
            try:
                self.publisher.start(*_handoff(work))
            except HandoffRefused as refused:
                self.end(work, refused.reason)
        elif isinstance(event, Token):
            work.first.append(event)
        elif isinstance(event, Progress):
            if self._identity.manifest.provider == "cpu":  # elsewhere each look at a row copies all of it to the host
                self._pool.submit(self._pack_ahead, work, event.computed)
        elif isinstance(event, Prefilled):
            work.phase("prefill", work.begun_ns)
            self._pool.submit(self._publish, work, event)
        elif isinstance(event, Finished):
            work.finished.append(event)
            if event.reason in FAILED:
                work.failure = work.failure or Refused(event.error, event.message)
                self.end(work, event.error)
            if event.is_last and work.failure is not None:
                self._fail(work, work.failure, event.usage)
            elif event.is_last:
                work.phase("prefill", work.begun_ns)
                self._tell(work, b"", 0, event.usage)
                self._drop(work, "FINISHED")

    def end(self, work: Work, reason: str) -> None:
        """End a prompt that nobody wants any more, whatever is done with it."""
        work.ending = work.ending or reason
        self.publisher.abort(*_handoff(work), reason)
        if not self._engine.abort(work.key, reason):
            self._engine.release_row(work.key)

    def held(self) -> list[str]:
        """Return hand-offs that hold something."""
        return self.publisher.held()

    def _pack_ahead(self, work: Work, computed: int) -> None:
        """Pack what was read so far beside the next chunk. What is ended meanwhile is told elsewhere."""
        with suppress(HandoffError, KeyError), self._engine.row(work.key) as row:
            self.publisher.pack_ahead(*_handoff(work), row, computed)

    def _publish(self, work: Work, prefilled: Prefilled) -> None:
        begun_ns = time.time_ns()
        try:
            with self._engine.row(work.key) as row:
                ticket, timing = self.publisher.publish(self._claims(work, self._asked[work.key], prefilled), row)
        except Exception as error:
            if not isinstance(error, HandoffError | KeyError):
                traceback.print_exception(error)
            self._engine.release_row(work.key)
            self._fail(work, error, prefilled.usage)
            return
        self._engine.release_row(work.key)
        packed_ns = begun_ns + int(timing.pack_s * 1e9)
        work.phase("pack", begun_ns, packed_ns)
        work.phase("publish", packed_ns)
        self._tell(work, ticket, int(self.publisher.machine.lease.lease_s * 1000), prefilled.usage)
        self._asked.pop(work.key, None)

    def _claims(self, work: Work, request: prefill_service_pb2.PrefillRequest, prefilled: Prefilled) -> Claims:
        first = sorted(work.first, key=lambda token: token.choice)
        return Claims(
            handoff_id=request.handoff_id,
            epoch=request.epoch,
            request_id=request.request_id,
            model_digest=request.model_digest,
            tokenizer_digest=self._identity.tokenizer_digest,
            token_count=prefilled.length,
            block_ids=block_ids(request.namespace, request.prompt_tokens, self._identity.manifest.layout.block_tokens),
            first_tokens=tuple(FirstToken(token.token, token.logprob or 0.0, token.top) for token in first),
            seed=request.sampling.seed,
            next_index=1,
            grammar_digest=self._engine.grammar_digest(translate.form(request.grammar)),
            first_block=request.first_block,
            namespace=request.namespace,
            grade=request.grade,
            tenant_digest=request.tenant_digest,
        )

    def _tell(self, work: Work, ticket: bytes, lease_ms: int, usage: Usage) -> None:
        if not self._works.done(work):
            return
        facts = self._identity.usage(usage)
        response = prefill_service_pb2.PrefillResponse(
            ticket=ticket,
            first_tokens=[token_message(token) for token in sorted(work.first, key=lambda token: token.choice)],
            finished=[finished(each) for each in work.finished],
            usage=facts,
            lease_ms=lease_ms,
        )
        self._outbox.put(work.owner, pb.Prefilled(work_id=work.work_id, response=response, phases=work.phases))
        self._outbox.put(work.owner, pb.RequestEnded(work_id=work.work_id, usage=facts))

    def _fail(self, work: Work, error: Exception, usage: Usage) -> None:
        self._drop(work, "FAILED")
        if self._works.done(work):
            refusal = translate.refusal(work.why(error) or error)
            ended = pb.RequestEnded(work_id=work.work_id, usage=self._identity.usage(usage), refusal=refusal)
            self._outbox.put(work.owner, ended)

    def _drop(self, work: Work, reason: str) -> None:
        self._asked.pop(work.key, None)
        self.publisher.abort(*_handoff(work), reason)


def _handoff(work: Work) -> tuple[str, int]:
    assert work.handoff is not None
    return work.handoff
