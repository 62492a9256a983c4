"""D27: a batch is its producer's alone, and a key that rotates makes no poison."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from audit.domain.message import UnusableError
from audit.translate import ProtobufBatchCodec
from meshkit.audit import batch as batches
from meshkit.audit.batch import BatchSigner, BatchVerifier, BatchWriter, SigningKey
from meshkit.crypto.derive import AUDIT_BATCH, DEVELOPMENT_ID, DEVELOPMENT_ROOT, development, signing
from meshkit.crypto.ring import Ring
from meshkit.testing.keys import batch_signer, batch_verifier, shared_signer
from provisioning import keys, services

from tests.protocol.mutants import assert_fails_without, swapped

RPC = "risk-scoring/rpc/1"


def judged(producer: str, signer: BatchSigner, verifier: BatchVerifier) -> str:
    """Why audit calls a batch poison; empty when it takes it."""
    (value,) = BatchWriter(producer, 1, signer).envelopes([b"record"])
    try:
        ProtobufBatchCodec(verifier).envelope(value)
    except UnusableError as error:
        return error.reason
    return ""


async def test_a_batch_is_signed_by_the_workload_of_its_producer() -> None:
    def check() -> None:
        verifier = batch_verifier()
        assert judged(RPC, batch_signer("risk-scoring"), verifier) == ""
        assert judged("gateway/1", batch_signer("gateway"), verifier) == ""
        assert judged(RPC, batch_signer("gateway"), verifier) == "SIGNER_MISMATCH"
        assert judged("gateway/1", batch_signer("risk-scoring"), verifier) == "SIGNER_MISMATCH"
        assert judged("risk-scoring-2/1", batch_signer("risk-scoring"), verifier) == "SIGNER_MISMATCH"
        assert judged("nobody", batch_signer("gateway"), verifier) == "SIGNER_MISMATCH"
        assert judged(RPC, batch_signer("stranger"), verifier) == "SIGNATURE_WRONG"

    def anybody(self, batch) -> str:
        rings = [*self._rings.values(), self._shared]
        return "" if any(ring and batches._signed(ring, batch) for ring in rings) else "SIGNATURE_WRONG"

    await assert_fails_without("D27", check, swapped(BatchVerifier, "problem", anybody))


async def test_the_longest_prefix_of_the_table_says_whose_a_producer_is() -> None:
    own = {workload: Ring(development(signing(workload)), SigningKey) for workload in ("a", "b")}
    verifier = BatchVerifier(own, {"x/": "a", "x/y/": "b"})
    assert [judged(p, batch_signer(w), verifier) for p, w in (("x/1", "a"), ("x/y/1", "b"), ("x/y/1", "a"))] == ["", "", "SIGNER_MISMATCH"]


def rings(folder: Path) -> tuple[BatchSigner, BatchVerifier, Ring[SigningKey]]:
    """What a producer and audit hold of one folder of key files."""

    def ring(purpose: str) -> Ring[SigningKey]:
        return Ring.of_file(keys.path_of(folder, purpose), purpose, SigningKey)

    producer, shared = ring(signing("risk-scoring")), ring(AUDIT_BATCH)
    own = {workload: ring(signing(workload)) for workload in ("risk-scoring", "gateway")}
    return BatchSigner(producer), BatchVerifier(own, services.load().producers, shared), producer


async def test_the_key_that_everybody_shared_is_accepted_until_it_is_retired(tmp_path) -> None:
    """Older batches of the topic are still read."""

    async def check() -> None:
        folder = tmp_path / "retired"
        keys.ensure_keys(folder, DEVELOPMENT_ROOT, DEVELOPMENT_ID, services.load().producers.values())
        signer, verifier, _ = rings(folder)
        assert judged(RPC, shared_signer(), verifier) == judged(RPC, signer, verifier) == ""
        keys.retire(folder, AUDIT_BATCH, "dev-1")
        for ring in (*verifier._rings.values(), verifier._shared):
            await ring.reload()
        assert judged(RPC, shared_signer(), verifier) == "SIGNATURE_WRONG"
        assert judged(RPC, signer, verifier) == ""
        for path in folder.iterdir():
            path.unlink()

    genuine = Ring._loaded
    keeps = swapped(Ring, "_loaded", lambda self, content: (genuine(self, content)[0], {**self._held[1], **genuine(self, content)[1]}))
    await assert_fails_without("D27", check, keeps)


async def test_a_producer_may_see_a_new_key_first(tmp_path) -> None:
    """Added and promoted within one interval of reloading: the producer signs with a key that audit has not read yet."""
    turns = iter(range(10))

    async def check() -> None:
        folder = tmp_path / str(next(turns))
        keys.ensure_keys(folder, b"r" * 32, "old", services.load().producers.values())
        signer, verifier, producer = rings(folder)
        purpose = signing("risk-scoring")
        before = BatchSigner(SimpleNamespace(primary=producer.primary))  # type: ignore[arg-type]
        keys.add(folder, purpose, "new")
        keys.promote(folder, purpose, "new")
        await producer.reload()
        assert producer.primary.id == "new"
        assert judged(RPC, signer, verifier) == ""
        assert judged(RPC, before, verifier) == "", "what was signed before is still on its way"
        keys.retire(folder, purpose, "old")
        for ring in verifier._rings.values():
            await ring.reload()
        assert judged(RPC, before, verifier) == "SIGNATURE_WRONG"
        assert judged(RPC, signer, verifier) == ""

    await assert_fails_without("D27", check, swapped(Ring, "refresh", lambda self: None))
