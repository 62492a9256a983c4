"""Any order of versions, validities, withdrawals: what the ledger shows is what a naive reading of the rules says."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from meshkit.testing.keys import payload_sealer
from rag.adapters.ledger.open import Ledger, ledger_at
from rag.domain.access import Access, Reader
from rag.domain.document import FOREVER

from tests.ports.rag.handing_in import T, lead, prepared, submission

MOMENTS = range(0, 7)
GROUPS = ("甲", "乙")
accesses = st.builds(Access, st.integers(1, 2), st.frozensets(st.sampled_from(GROUPS)))
published = st.tuples(
    st.integers(1, 5),
    st.tuples(st.integers(0, 5), st.integers(1, 6)).filter(lambda pair: pair[0] < pair[1]) | st.just((0, FOREVER)),
    accesses,
)
withdrawn = st.integers(1, 5)


@dataclass
class Model:
    """What happened, in words: each version with its sequence, and up to where the document is hidden."""

    versions: dict[int, tuple[int, tuple[int, int], Access]] = field(default_factory=dict)
    hidden: int = 0

    def shown(self, moment: int, known_at: int) -> list[int]:
        found = [
            version
            for version, (seq, (start, end), _) in self.versions.items()
            if seq <= known_at and version > self.hidden and start <= moment < end
        ]
        return [max(found)] if found else []


async def happened(ledger: Ledger, events: list) -> Model:
    model, epoch, handed_in = Model(), await lead(ledger), set()
    for event in events:
        if isinstance(event, int):
            await ledger.intake.withdraw(T, "条款", event, 0)
            model.hidden = max(model.hidden, event)
            continue
        version, (start, end), access = event
        if version in handed_in:
            continue
        handed_in.add(version)
        await ledger.intake.enrol(submission(version=version, valid_from_us=start, valid_to_us=end, access=access), 0)
        for job in await ledger.workbench.claim(epoch, (), 9, 0):
            seq = await ledger.workbench.publish(job, prepared([f"{version}"], access), 0)
            model.versions[version] = seq, (start, end), access
    return model


async def check(folder: Path, events: list) -> None:
    ledger = ledger_at(f"sqlite:///{folder / 'ledger.db'}", payload_sealer())
    async with ledger.store:
        model = await happened(ledger, events)
        rows = await ledger.library.versions(T, "条款", range(1, 99))
        for known_at in range(await ledger.library.sequence() + 1):
            for moment in MOMENTS:
                found = [
                    row.submission.source_version
                    for row in rows
                    if row.from_seq <= known_at < row.to_seq and row.submission.valid_from_us <= moment < row.submission.valid_to_us
                ]
                assert found == model.shown(moment, known_at), (moment, known_at)
        changes = await ledger.library.changes(0, 999)
        assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
        left = {version: access for version, (_, _, access) in model.versions.items() if version > model.hidden}
        for groups in ((), GROUPS[:1], GROUPS):
            for clearance in (1, 2):
                reader = Reader(T, "p", "", clearance, frozenset(groups))
                readable = await ledger.library.readable(reader, 0)
                for row in await ledger.library.versions(T, "条款", readable):
                    own, newest = left[row.submission.source_version], left[max(left)]
                    assert reader.may_read(own, 0) and reader.may_read(newest, 0)


@settings(max_examples=20)
@given(st.lists(published | withdrawn, max_size=6))
def test_what_is_shown_is_what_the_rules_say(events: list) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder), events))
