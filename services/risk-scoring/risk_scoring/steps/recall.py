"""Rule D25: the bytes of a decision that the store keeps by its place are read from the decision topic, and looked at before they are told.

Whose record is gone, or is another decision's, is refused for good and never decided again. Calls read alone, beside the batch that they
were decided with. The stream reads for a whole batch; what it has read is kept until the batch is complete, so that a batch of nothing but
old decisions gets on by what one attempt may read.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from meshkit.crypto.keyed_ids import uuid_text
from meshkit.errors import MeshError, Unavailable
from meshkit.telemetry import metrics

from risk_scoring.domain.decision import DecisionUnreadable, Verdict
from risk_scoring.domain.observation import RecordPlace
from risk_scoring.ports import DecisionRecords

log = logging.getLogger(__name__)
_BATCH_S = 2.0  # a stream's transaction is open meanwhile


class Recall:
    """``identify`` gives decision id and fingerprint of a record's bytes; what it raises (MeshError, ValueError) makes them no decision."""

    def __init__(self, records: DecisionRecords, identify: Callable[[bytes], tuple[bytes, bytes]]) -> None:
        self._records = records
        self._identify = identify
        self._held: defaultdict[int, dict[RecordPlace, bytes | None]] = defaultdict(dict)  # by input partition
        meter = metrics.meter()
        self._read = meter.create_counter(
            "finmesh.risk.decisions.read", description="decisions kept by their place and read from the topic"
        )
        self._unreadable = meter.create_counter(
            "finmesh.risk.decisions.unreadable", description="of these, records that are gone or others"
        )
        self._unreadable.add(0)  # an alarm looks for its increase

    async def one(self, verdict: Verdict, within_s: float) -> Verdict:
        """Return a call's verdict with its bytes. Raises DecisionUnreadable, Unavailable, Overloaded."""
        assert verdict.place is not None
        seen = verdict.request.observation
        return replace(verdict, decision=await self.read(verdict.place, seen.decision_id, seen.fingerprint, within_s), place=None)

    async def read(self, place: RecordPlace, decision_id: bytes, fingerprint: bytes, within_s: float) -> bytes:
        """Return the bytes of one decision. Raises DecisionUnreadable, Unavailable, Overloaded."""
        found = await self._records.read([place], within_s)
        decision = self._checked(found[place], place, decision_id, fingerprint)
        if decision is None:
            raise DecisionUnreadable
        return decision

    async def batch(self, partition: int, verdicts: list[Verdict]) -> list[Verdict]:
        """Return a stream's verdicts with their bytes; none for an unreadable one. Raises Unavailable: the batch has to come again."""
        waiting = [index for index, verdict in enumerate(verdicts) if verdict.place is not None]
        if not waiting:
            return verdicts
        held = self._held[partition]
        missing = {place for index in waiting if (place := verdicts[index].place) is not None and place not in held}
        if missing:
            found = await self._all_in_time(missing)
            held.update(found)
            if len(found) < len(missing):
                raise Unavailable("more decisions are being read", reason="DECISION_READS_LIMITED", retry_after_s=0.1)
        for index in waiting:
            verdict = verdicts[index]
            assert verdict.place is not None
            seen = verdict.request.observation
            decision = self._checked(held[verdict.place], verdict.place, seen.decision_id, seen.fingerprint)
            verdicts[index] = replace(verdict, decision=decision or b"", place=None)
        self.forget(partition)
        return verdicts

    def forget(self, partition: int) -> None:
        """Drop what was read for a batch that does not come again."""
        self._held.pop(partition, None)

    async def _all_in_time(self, places: set[RecordPlace]) -> dict[RecordPlace, bytes | None]:
        try:
            return dict(await self._records.read(places, _BATCH_S))
        except Unavailable:
            raise
        except MeshError as error:  # too many at once: the stream waits like for a neighbour
            raise Unavailable(error.message, reason=error.reason, retry_after_s=error.retry_after_s) from error

    def _checked(self, record: bytes | None, place: RecordPlace, decision_id: bytes, fingerprint: bytes) -> bytes | None:
        """Return the record if it is this decision's; None, and an alarm, if not."""
        self._read.add(1)
        if record is not None:
            try:
                if self._identify(record) == (decision_id, fingerprint):
                    return record
            except (MeshError, ValueError):
                pass
        self._unreadable.add(1)
        where = f"offset {place.offset} of decision partition {place.partition}"
        log.error("decision %s can't be read at %s: %s", uuid_text(decision_id), where, "gone" if record is None else "another record")
        return None
