"""The envelope of audit records: numbered, signed, split below the broker's limit.

Records are opaque bytes here: they are the leaves. Producer, epoch and sequence stand on the envelope only, so that a replay sends the same
records in another envelope and the log recognises them (rule D3). A batch that is aborted starts a new epoch and leaves no false gap.

Signature: HMAC-SHA-256 under the sub-key "audit-batch" over, each length-prefixed by eight big-endian bytes: producer, epoch, sequence as
decimal text, key id, then every record.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from hashlib import sha256

from finmesh.audit.v1.audit_record_pb2 import AuditBatch

from meshkit.config import KeySettings
from meshkit.crypto.keyed_ids import derive_key
from meshkit.errors import InvalidArgument

MAX_RECORD_BYTES = 65_535  # tile entry bundles use a 16-bit length
MAX_BATCH_BYTES = 768 * 1024  # below the broker's message.max.bytes of 1 MiB


class BatchSigner:
    """Signs envelopes and checks them, under a key shared by producers and audit."""

    def __init__(self, settings: KeySettings) -> None:
        self.key_id = settings.id
        self._key = derive_key(settings.secret.get_secret_value().encode(), "audit-batch")

    def signature(self, batch: AuditBatch) -> bytes:
        """Return the signature that the batch should carry."""
        mac = hmac.new(self._key, digestmod=sha256)
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

    def verified(self, batch: AuditBatch) -> bool:
        """Say whether a batch was signed by somebody who holds the key."""
        return batch.key_id == self.key_id and hmac.compare_digest(batch.signature, self.signature(batch))


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
        batch = AuditBatch(producer=self.producer, epoch=self._epoch, sequence=self._sequence, records=records, key_id=self._signer.key_id)
        batch.signature = self._signer.signature(batch)
        self._sequence += 1
        return batch.SerializeToString()
