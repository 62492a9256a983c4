"""Labels and lifecycle reports: a sink of `meshkit.events.offsets_in_db` whose database is the feature store.

Effect and input position are written by one script, so nothing counts twice and nothing is left out, also after Redis forgot: the
position went back with the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiokafka import ConsumerRecord
from finmesh.risk.v1.transaction_pb2 import LabelReported, TransactionAuthorizationRequested, TransactionLifecycleReported
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.clock import Clock
from meshkit.errors import Conflict, MeshError
from meshkit.events.dead_letter import DeadLetterWriter
from meshkit.events.offsets_in_db import Loss, Position
from meshkit.events.poison import NO_POISON, Poison, internal_error, place_of

from risk_scoring import translate
from risk_scoring.domain.horizon import check_not_ahead, time_us
from risk_scoring.domain.observation import REFUSED, Change
from risk_scoring.domain.transaction import Transaction
from risk_scoring.ports import FeatureStore, StoreForgotten
from risk_scoring.steps.identify import Identifier
from risk_scoring.steps.restore import Restorer
from risk_scoring.translate.messages import LABEL_TOPIC
from risk_scoring.usecases.on_label_reported import INVALID_LABEL, label_change
from risk_scoring.usecases.on_transaction_lifecycle_reported import INVALID_REPORT, lifecycle_change

LIFECYCLE_TOPIC = "finmesh.risk.v1.TransactionLifecycleReported"


class Corrections:
    """Applies corrections of both topics; poison goes to dead letters before the position moves on."""

    def __init__(
        self, store: FeatureStore, restorer: Restorer, identifier: Identifier, dead_letters: DeadLetterWriter, clock: Clock
    ) -> None:
        self._store = store
        self._restorer = restorer
        self._identifier = identifier
        self._dead_letters = dead_letters
        self._clock = clock

    async def positions(self, topic: str) -> Mapping[int, Position]:
        """Return where each partition goes on. Raises Unavailable."""
        await self._restorer.ensure()
        found = {}
        for source, position in (await self._store.amended()).items():
            name, _, partition = source.rpartition(":")
            if name == topic:
                incarnation, _, offset = position.rpartition("@")
                found[int(partition)] = Position(int(partition), incarnation, int(offset))
        return found

    def read(self, record: ConsumerRecord) -> bool:
        """Say whether a record can be applied; raises what our code raises on it."""
        try:
            self._change(record)
        except MeshError:
            return False
        return True

    async def store(
        self, records: Sequence[ConsumerRecord], losses: Sequence[Loss], positions: Sequence[Position], poison: Poison = NO_POISON
    ) -> None:
        """Apply the records of each partition together with its new position. Raises Unavailable."""
        del losses  # features lack what retention took; the audit log is what proves gaps
        for position in positions:
            changes: list[tuple[ConsumerRecord, Change]] = []
            topic = ""
            for record in records:
                if record.partition != position.partition:
                    continue
                topic = record.topic
                try:
                    if place_of(record) in poison:
                        raise internal_error(poison[place_of(record)])
                    change = self._change(record)
                except MeshError as error:
                    await self._dead_letters.write(record, error)
                    continue
                if change is not None:
                    changes.append((record, change))
            if topic:
                await self._amend(changes, f"{topic}:{position.partition}", f"{position.incarnation}@{position.next_offset}")

    async def _amend(self, changes: Sequence[tuple[ConsumerRecord, Change]], source: str, position: str) -> None:
        """Apply changes; of those that the store refuses a dead letter is written before the position moves on."""
        try:
            letters = await self._store.amend([change for _, change in changes], source, position)
            refused = [record for (record, _), letter in zip(changes, letters, strict=True) if letter == REFUSED]
            for record in refused:
                await self._dead_letters.write(record, Conflict("the transaction came with other content"))
            if refused:
                await self._store.amend((), source, position)
        except StoreForgotten:
            await self._restorer.ensure()
            raise  # the stored position went back: everything since then is read again

    def _change(self, record: ConsumerRecord) -> Change | None:
        """Return what a record changes. Raises InvalidArgument."""
        if record.topic.endswith(LABEL_TOPIC):
            label = translate.parse(LabelReported, record.value)
            t = self._past(label.transaction, label.known_at, "known_at", INVALID_LABEL)
            return label_change(self._identifier.observation(t), t.tenant, label.label_id, label.type, label.retracted)
        report = translate.parse(TransactionLifecycleReported, record.value)
        t = self._past(report.transaction, report.event_time, "event_time", INVALID_REPORT)
        partial = (
            self._identifier.to_reference(report.amount.amount_minor, report.amount.currency_code) if report.HasField("amount") else None
        )
        return lifecycle_change(self._identifier.observation(t), t.tenant, report.report_id, report.type, partial)

    def _past(self, message: TransactionAuthorizationRequested, at: Timestamp, field: str, reason: str) -> Transaction:
        """Return the transaction that a report embeds; neither it nor the report may lie ahead. Raises InvalidArgument."""
        now_s = self._clock.now_s()
        check_not_ahead(time_us(at, field, reason), now_s)
        t = translate.transaction(message)
        check_not_ahead(t.event_time_us, now_s)
        return t
