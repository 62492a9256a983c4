"""Operations by name: what each is handed, what it answers. Called on Triton's thread, which waits for nothing here.

Surprising: the first byte of every answer says what follows, 0 for the operation's result and 1 for a Refusal. What takes longer than a
moment (a grammar is compiled, a signature checked, a row pulled) goes to a worker, which answers from there; the order of two
operations is therefore only kept for what the works say: an abort finds work that was named before it, however far it has come.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from finmesh.engine.v1 import engine_pb2 as pb
from finmesh.inference.v1 import worker_pb2
from google.protobuf.message import DecodeError, Message

from engine.handoff.errors import HandoffError
from engine.llm.engine import Engine
from engine.llm.errors import Refused
from engine.llm.generation import CacheChanged, Event
from engine.stub import translate
from engine.stub.decode import DecodeRole, as_asked
from engine.stub.outbox import Answer, Outbox
from engine.stub.pack import Item, kv_event
from engine.stub.prefill import PrefillRole
from engine.stub.translate import Identity
from engine.stub.works import Work, Works

OK, REFUSED = b"\0", b"\1"
_LONGEST_RESERVATION_S = 60.0


class Operations:
    """``role``: what this engine is for; ``turns``: of the loop; ``host``: names where memory can be shared."""

    def __init__(
        self,
        engine: Engine,
        identity: Identity,
        role: PrefillRole | DecodeRole,
        *,
        works: Works,
        outbox: Outbox,
        pool: Executor,
        turns: Callable[[], int],
        host: str,
    ) -> None:
        self._engine, self._identity, self._works, self._outbox, self._pool = engine, identity, works, outbox, pool
        self._role, self._turns = role, turns
        self._short: dict[str, tuple[type[Any], Callable[[Any], Message | None]]] = {
            "describe": (pb.OwnerOperation, lambda _: pb.DescribeResponse(description=identity.description(engine.incarnation, host))),
            "reserve": (pb.ReserveOperation, self._reserve),
            "renew": (pb.ReservationOperation, self._renew),
            "release": (pb.ReservationOperation, self._release),
            "abort": (pb.AbortOperation, self._abort),
            "alive": (pb.OwnerOperation, self._alive),
            "leave": (pb.OwnerOperation, lambda asked: outbox.leave(asked.owner, "OWNER_LEFT")),
            "blocks": (pb.BlocksOperation, self._blocks),
            "held": (pb.OwnerOperation, lambda _: pb.HeldResult(held=self.held())),
        }

    def handle(self, name: str, body: bytes, answer: Answer) -> None:
        """Answer one operation, now or later, or begin to tell an owner its events."""
        try:
            if name == "events":
                self._outbox.join(pb.OwnerOperation.FromString(body).owner, answer)
            elif name == "prefill":
                self._begin(pb.PrefillOperation.FromString(body), answer)
            elif name == "decode":
                self._begin(pb.DecodeOperation.FromString(body), answer)
            elif name in self._short:
                kind, work = self._short[name]
                result = work(kind.FromString(body))
                self._outbox.answer(answer, OK + (b"" if result is None else result.SerializeToString()))
            else:
                raise Refused("OPERATION_UNKNOWN", f"there is no operation {name[:40]!r}")
        except DecodeError:
            self._refuse(answer, Refused("MALFORMED_MESSAGE", f"the bytes are no {name}"))
        except Exception as error:  # whatever it is, one operation failed and the others go on
            self._refuse(answer, error)

    def _refuse(self, answer: Answer, error: Exception) -> None:
        if not isinstance(error, Refused | HandoffError):
            traceback.print_exception(error)
        self._outbox.answer(answer, REFUSED + translate.refusal(error).SerializeToString())

    def _begin(self, operation: pb.PrefillOperation | pb.DecodeOperation, answer: Answer) -> None:
        self._known(operation.owner)
        role, work = self._role, Work(operation.owner, operation.work_id)
        if isinstance(operation, pb.PrefillOperation) and isinstance(role, PrefillRole):
            work.handoff = (operation.request.handoff_id, operation.request.epoch)
            self._works.add(work)
            self._pool.submit(self._prefill_begins, role, work, operation, answer)
        elif isinstance(operation, pb.DecodeOperation) and isinstance(role, DecodeRole):
            self._works.add(work)
            self._pool.submit(self._decode_begins, role, work, operation, answer)
        else:
            raise Refused("ROLE_MISMATCH", "this engine is for something else")

    def _known(self, owner: str) -> None:
        if not self._outbox.heard(owner):
            raise Refused("OWNER_UNKNOWN", "say `events` first")

    def _prefill_begins(self, role: PrefillRole, work: Work, operation: pb.PrefillOperation, answer: Answer) -> None:
        try:
            role.submit(work, operation)
        except Exception as error:
            self._works.done(work)
            self._refuse(answer, error)
        else:
            self._outbox.answer(answer, OK)

    def _decode_begins(self, role: DecodeRole, work: Work, operation: pb.DecodeOperation, answer: Answer) -> None:
        begun = False

        def accepted() -> None:
            nonlocal begun
            begun = True
            self._outbox.answer(answer, OK)

        try:
            role.submit(work, operation, accepted)
        except Exception as error:
            if begun:
                if not isinstance(error, Refused | HandoffError):
                    traceback.print_exception(error)
                role.ended(work, error)
            else:
                self._works.done(work)
                self._refuse(answer, as_asked(error))
        else:
            self._works.unreserved(operation.request.reservation_id)  # it became the row of the answer

    def _reserve(self, asked: pb.ReserveOperation) -> pb.ReserveResult:
        request = asked.request
        self._known(asked.owner)
        if not isinstance(self._role, DecodeRole):
            raise Refused("ROLE_MISMATCH", "this engine reads prompts")
        if request.model_digest != self._identity.model_digest:
            raise Refused("MODEL_UNKNOWN", "another model is served here")
        size = self._identity.manifest.layout.block_tokens
        if request.prompt_tokens < 1:
            raise Refused("PROMPT_EMPTY", "the prompt has no tokens")
        tokens = min(request.prompt_tokens + max(1, request.max_output_tokens), self._engine.max_len)
        if request.prompt_tokens >= self._engine.max_len:
            raise Refused(
                "PROMPT_TOO_LONG", f"{request.prompt_tokens} tokens leave no room for an answer in a row of {self._engine.max_len}"
            )
        held = self._engine.reserve(
            asked.reservation_id,
            tokens,
            translate.seconds(request.ttl_ms, _LONGEST_RESERVATION_S, _LONGEST_RESERVATION_S),
            rows=max(1, request.choices),
            chain=translate.ids(request.block_ids)[: request.prompt_tokens // size],
        )
        self._works.reserved(asked.reservation_id, asked.owner)
        return pb.ReserveResult(first_block=min(held, -(-request.prompt_tokens // size) - 1))

    def _renew(self, asked: pb.ReservationOperation) -> None:
        try:
            self._engine.renew(asked.reservation_id, translate.seconds(asked.ttl_ms, _LONGEST_RESERVATION_S, _LONGEST_RESERVATION_S))
        except Refused as error:
            raise as_asked(error) from None

    def _release(self, asked: pb.ReservationOperation) -> None:
        self._works.unreserved(asked.reservation_id)
        self._engine.release(asked.reservation_id)

    def _abort(self, asked: pb.AbortOperation) -> None:
        reason = asked.reason or "CANCELLED"
        if asked.handoff_id:
            for work in self._works.of_handoff(asked.handoff_id, asked.epoch):
                self._role.end(work, reason)
            if isinstance(self._role, PrefillRole):
                self._role.publisher.abort(asked.handoff_id, asked.epoch, reason)
        elif (found := self._works.get(Work(asked.owner, asked.work_id).key)) is not None:
            self._role.end(found, reason)

    def _alive(self, asked: pb.OwnerOperation) -> worker_pb2.WorkerLoad:
        if asked.owner:
            self._known(asked.owner)
        load = self._engine.load()
        arena = self._role.publisher.arena if isinstance(self._role, PrefillRole) else None
        return worker_pb2.WorkerLoad(
            steps=self._turns(),
            rows_used=load.rows_used,
            queued=load.queued,
            prefill_tokens=load.prefill_tokens,
            decode_blocks=load.decode_blocks,
            cached_blocks=load.cached_blocks,
            cache_capacity_blocks=load.cache_capacity_blocks,
            arena_used_bytes=0 if arena is None else arena.used_bytes,
            arena_bytes=0 if arena is None else arena.bytes,
            step_ms=load.step_ms,
            output_tokens_per_s=load.output_tokens_per_s,
            prefill_tokens_per_s=load.prefill_tokens_per_s,
            kv_usage=load.decode_blocks * self._identity.manifest.layout.block_tokens / (load.rows_total * self._engine.max_len),
            utilisation=load.utilisation,
            state=worker_pb2.WORKER_STATE_READY,
        )

    def _blocks(self, asked: pb.BlocksOperation) -> pb.BlocksResult:
        changes = self._engine.cache_since(asked.after_seq) if asked.after_seq else None
        if changes is not None:
            return pb.BlocksResult(events=[kv_event(each) for each in changes])
        sequence, stored = self._engine.cache_snapshot()
        return pb.BlocksResult(events=[worker_pb2.KvEvent(seq=sequence, stored=stored, cleared=True)])

    def held(self) -> list[str]:
        """Return what is held by whom, one line each."""
        return [*self._works.held(), *self._engine.held(), *self._role.held()]

    def told(self, events: Sequence[Event]) -> None:
        """Take what a turn of the loop brought."""
        everybody: list[Item] = []
        for event in events:
            if isinstance(event, CacheChanged):
                everybody.append(event)
            elif (work := self._works.get(event.request_id)) is not None:
                self._role.told(work, event)
        if everybody:
            self._outbox.put_all(everybody)

    def lost(self, owner: str, reason: str) -> None:
        """End what an owner that is gone has asked for. What it published goes on: tickets are out, their leases end by themselves."""
        for work in self._works.of_owner(owner):
            self._role.end(work, reason)
        for reservation_id in self._works.reservations_of(owner):
            self._engine.release(reservation_id)
