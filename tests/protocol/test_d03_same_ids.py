"""D3. A replay emits the same ids and bytes; producer, epoch and sequence stand on the envelope alone, and an abort leaves no hole."""

import uuid
from itertools import count

from audit.domain.message import Envelope
from audit.domain.sequences import Sequences
from finmesh.audit.v1.audit_record_pb2 import AuditBatch, AuditRecord
from finmesh.risk.v1.decision_pb2 import TransactionDecided
from meshkit.audit.batch import BatchWriter
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.testing.keys import batch_signer
from risk_scoring.translate import RecordCodec
from translog.entries import ProducerPosition

from tests.protocol.desks import desk
from tests.protocol.makers import payment
from tests.protocol.mutants import assert_fails_without, lua, swapped


async def test_a_replay_after_a_lost_commit_says_the_same_again(private_redis) -> None:
    async def check() -> None:
        prefix = uuid.uuid4().hex
        async with desk(private_redis, prefix=prefix) as before:
            first = await before.streamed(payment(1), payment(2))
        async with desk(private_redis, prefix=prefix) as after:
            after.shelf.clock.advance(3)
            after.served.scores = [0.9]  # another model would say something else by now
            await after.stream.assigned(0, 2)
            again = await after.streamed(payment(1), payment(2))
        assert [m.value for m in again[:2]] == [m.value for m in first[:2]]
        assert [(m.key, dict(m.headers)["ce_id"]) for m in again[:2]] == [(m.key, dict(m.headers)["ce_id"]) for m in first[:2]]
        old, new = AuditBatch.FromString(first[2].value), AuditBatch.FromString(again[2].value)
        assert old.records == new.records
        assert (old.epoch, new.epoch) == (1, 2)

    await assert_fails_without(
        "D3",
        check,
        lua("observe", "  if stored then\n    local entry", "  if false then\n    local entry"),
        swapped(KeyedIds, "derived_id", lambda self, kind, content: uuid.uuid4().bytes),
    )


async def test_ids_come_from_key_and_kind_alone(private_redis) -> None:
    """Two stores that know nothing of each other give the same ids."""

    async def check() -> None:
        found = []
        for _ in range(2):
            async with desk(private_redis) as here:
                decision, audit = await here.streamed(payment(1))
                (record,) = AuditBatch.FromString(audit.value).records
                found.append((TransactionDecided.FromString(decision.value).decision_id, AuditRecord.FromString(record).audit_record_id))
        assert found[0] == found[1]
        assert found[0][0] != found[0][1]
        assert {uuid.UUID(each).version for each in found[0]} == {8}

    salt = count()
    genuine = KeyedIds.derived_id
    salted = swapped(KeyedIds, "derived_id", lambda self, kind, content: genuine(self, kind, content + bytes([next(salt)])))
    await assert_fails_without("D3", check, salted)


async def test_nothing_of_the_envelope_is_in_the_compared_bytes(private_redis) -> None:
    async def check() -> None:
        records = []
        for epoch in (111_222_333, 444_555_666):
            async with desk(private_redis) as here:
                await here.stream.assigned(0, epoch)
                records.append(AuditBatch.FromString((await here.streamed(payment(1)))[1].value).records)
        assert records[0] == records[1]

    genuine, calls = RecordCodec.audit, count()

    def with_sequence(self, draft, decision):
        return AuditRecord(audit_record_id="x", build=str(next(calls))).SerializeToString() + genuine(self, draft, decision)

    await assert_fails_without("D3", check, swapped(RecordCodec, "audit", with_sequence))


async def test_an_aborted_batch_leaves_no_false_gap() -> None:
    signer = batch_signer()

    def gaps(*writers: BatchWriter) -> list[object]:
        """What audit misses when the second batch of the first writer was aborted and the last writer went on."""
        first, last = writers[0], writers[-1]
        kept = list(first.envelopes([b"1"]))
        list(first.envelopes([b"2"]))
        kept += last.envelopes([b"2"])
        sequences, found = Sequences({"p": ProducerPosition("p", 1, -1)}), []
        for batch in map(AuditBatch.FromString, kept):
            gap = sequences.follow(Envelope(batch.producer, batch.epoch, batch.sequence, tuple(batch.records)))
            found += [gap] if gap else []
        return found

    assert gaps(BatchWriter("p", 1, signer), BatchWriter("p", 2, signer)) == []
    assert gaps(BatchWriter("p", 1, signer)), "the same epoch goes on: the aborted number is missing"
