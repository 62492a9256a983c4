"""The envelope of audit records: numbered, signed, split below the broker's limit.

Records are opaque bytes here: they are the leaves. Producer, epoch and sequence stand on the envelope only, so that a replay sends the same
records in another envelope and the log recognises them (rule D3). A batch that is aborted starts a new epoch and leaves no false gap.

Signature: HMAC-SHA-256 under the workload's sub-key "audit-batch|<workload>" over, each length-prefixed by eight big-endian bytes:
producer, epoch, sequence as decimal text, key id, then every record.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from finmesh.audit.v1.audit_record_pb2 import AuditBatch

from meshkit.crypto.ring import Ring
from meshkit.errors import InvalidArgument

MAX_RECORD_BYTES = 65_535  # tile entry bundles use a 16-bit length
MAX_BATCH_BYTES = 768 * 1024  # below the broker's message.max.bytes of 1 MiB


class SigningKey:
    """One key of a ring "audit-batch|<workload>"."""

    def __init__(self, key_id: str, secret: bytes) -> None:
        self.id = key_id
        self._secret = secret

    def signature(self, batch: AuditBatch) -> bytes:
        """Return the signature that the batch should carry."""
        mac = hmac.new(self._secret, digestmod=sha256)
        for part in (
            batch.producer.encode(),
            str(batch.epoch).encode(),
            str(batch.sequence).encode(),
            batch.key_id.encode(),
            *batch.records,
        ):
            mac.update(len(part).to_bytes(8, "big"))
            mac.update(part)
        return mac.digest()


class BatchSigner:
    """Signs the envelopes of one workload."""

    def __init__(self, ring: Ring[SigningKey]) -> None:
        self._ring = ring

    def sign(self, batch: AuditBatch) -> None:
        """Write key id and signature on a batch that is otherwise complete."""
        key = self._ring.primary
        batch.key_id = key.id
        batch.signature = key.signature(batch)


class BatchVerifier:
    """Checks envelopes: ``rings`` of each workload, ``producers`` says whose a producer prefix is.

    ``shared``: the ring of the key that all producers had before each workload had its own; None once it is retired.
    """

    def __init__(self, rings: Mapping[str, Ring[SigningKey]], producers: Mapping[str, str], shared: Ring[SigningKey] | None = None) -> None:
        self._rings = rings
        self._owners = sorted(producers.items(), key=lambda item: -len(item[0]))  # the longest prefix first
        self._shared = shared

    def problem(self, batch: AuditBatch) -> str:
        """Return why a batch is not its producer's: SIGNATURE_WRONG, SIGNER_MISMATCH (another workload signed it), or empty."""
        owner = next((workload for prefix, workload in self._owners if batch.producer.startswith(prefix)), "")
        own = [ring for ring in (self._rings.get(owner), self._shared) if ring is not None]
        if any(_signed(ring, batch) for ring in own):
            return ""
        for ring in own:
            ring.refresh()  # its producer may have seen a new key before us, and poison is for ever
        if any(_signed(ring, batch) for ring in own):
            return ""
        others = (ring for workload, ring in self._rings.items() if workload != owner)
        return "SIGNER_MISMATCH" if any(_signed(ring, batch) for ring in others) else "SIGNATURE_WRONG"


def _signed(ring: Ring[SigningKey], batch: AuditBatch) -> bool:
    key = ring.get(batch.key_id)
    return key is not None and hmac.compare_digest(batch.signature, key.signature(batch))


class BatchWriter:
    """Numbers the batches of one producer. One writer per transactional producer; not for concurrent use."""

    def __init__(self, producer: str, epoch: int, signer: BatchSigner) -> None:
        self.producer = producer
        self._epoch = epoch
        self._sequence = 0
        self._signer = signer

    def envelopes(self, records: Sequence[bytes]) -> Iterator[bytes]:
        """Yield serialised envelopes that hold the records in order; raises InvalidArgument for a record above the leaf limit."""
        chunk: list[bytes] = []
        size = 0
        for record in records:
            if len(record) > MAX_RECORD_BYTES:
                raise InvalidArgument("audit record too large", reason="AUDIT_RECORD_TOO_LARGE")
            if chunk and size + len(record) > MAX_BATCH_BYTES:
                yield self._envelope(chunk)
                chunk, size = [], 0
            chunk.append(record)
            size += len(record) + 4
        if chunk:
            yield self._envelope(chunk)

    def _envelope(self, records: list[bytes]) -> bytes:
        batch = AuditBatch(producer=self.producer, epoch=self._epoch, sequence=self._sequence, records=records)
        self._signer.sign(batch)
        self._sequence += 1
        return batch.SerializeToString()
