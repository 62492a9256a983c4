"""Labels and lifecycle reports: a sink of `meshkit.events.offsets_in_db` whose database is the feature store.

Effect and input position are written by one script, so nothing counts twice and nothing is left out, also after Redis forgot: the
position went back with the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshkit.errors import Conflict, MeshError
from meshkit.events.dead_letter import DeadLetterWriter
from meshkit.events.message import Record
from meshkit.events.offsets_in_db import Loss, Position
from meshkit.events.poison import NO_POISON, Poison, internal_error, place_of

from risk_scoring.domain.observation import Change
from risk_scoring.steps.correct import Corrector
from risk_scoring.translate.corrections import label, report
from risk_scoring.translate.messages import LABEL_TOPIC
from risk_scoring.usecases.on_label_reported import OnLabelReported
from risk_scoring.usecases.on_transaction_lifecycle_reported import OnTransactionLifecycleReported

LIFECYCLE_TOPIC = "finmesh.risk.v1.TransactionLifecycleReported"


class Corrections:
    """Applies corrections of both topics; poison goes to dead letters before the position moves on."""

    def __init__(
        self,
        on_label: OnLabelReported,
        on_report: OnTransactionLifecycleReported,
        corrector: Corrector,
        dead_letters: DeadLetterWriter,
    ) -> None:
        self._on_label = on_label
        self._on_report = on_report
        self._corrector = corrector
        self._dead_letters = dead_letters

    async def positions(self, topic: str) -> Mapping[int, Position]:
        """Return where each partition goes on. Raises Unavailable."""
        found = {}
        for source, position in (await self._corrector.positions()).items():
            name, _, partition = source.rpartition(":")
            if name == topic:
                incarnation, _, offset = position.rpartition("@")
                found[int(partition)] = Position(int(partition), incarnation, int(offset))
        return found

    def read(self, record: Record) -> bool:
        """Say whether a record can be applied; raises what our code raises on it."""
        try:
            self._change(record)
        except MeshError:
            return False
        return True

    async def store(
        self, records: Sequence[Record], losses: Sequence[Loss], positions: Sequence[Position], poison: Poison = NO_POISON
    ) -> None:
        """Apply the records of each partition together with its new position. Raises Unavailable."""
        del losses  # features lack what retention took; the audit log is what proves gaps
        for position in positions:
            changes: list[tuple[Record, Change]] = []
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

    async def _amend(self, changes: Sequence[tuple[Record, Change]], source: str, position: str) -> None:
        """Apply changes; of those that the store refuses a dead letter is written before the position moves on."""
        refused = await self._corrector.apply([change for _, change in changes], source, position)
        for index in refused:
            await self._dead_letters.write(changes[index][0], Conflict("the transaction came with other content"))
        if refused:
            await self._corrector.apply((), source, position)

    def _change(self, record: Record) -> Change | None:
        """Return what a record changes. Raises InvalidArgument."""
        if record.topic.endswith(LABEL_TOPIC):
            return self._on_label(label(record.value))
        return self._on_report(report(record.value))
