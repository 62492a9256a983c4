"""A process killed at any statement loses nothing that was answered and leaves nothing half done: the next one comes to the same end."""

import subprocess
import sys
from pathlib import Path

from meshkit.testing.keys import payload_sealer
from rag.adapters.ledger.database import Connection
from rag.adapters.ledger.open import Ledger, ledger_at

from tests.contract.repository import ROOT
from tests.ports.rag.killed import work

STEP = 7
LATER_US = 60_000_000


def consistent(connection: Connection) -> None:
    """What holds at every moment: no gap in the log, no version visible without its passages or without having been told."""
    seqs = [row[0] for row in connection.query("SELECT seq FROM change ORDER BY seq")]
    assert seqs == list(range(1, len(seqs) + 1))
    assert connection.query("SELECT seq FROM head") == [(len(seqs),)]
    for version_id, state in connection.query("SELECT version_id, state FROM version"):
        told = connection.query("SELECT 1 FROM change WHERE version_id = ?", (version_id,))
        passages = connection.query("SELECT COUNT(*) FROM chunk WHERE version_id = ?", (version_id,))[0][0]
        assert (passages, bool(told)) == {"ENROLLED": (0, False), "PURGED": (0, True)}.get(state, (2, True))


def ended(connection: Connection) -> list:
    ask = (
        "SELECT d.document_id, v.source_version, v.piece, v.state, v.from_seq, v.to_seq, v.valid_from_us, v.valid_to_us "
        "FROM version v JOIN document d ON d.document_row = v.document_row ORDER BY v.version_id"
    )
    return [
        connection.query(ask),
        connection.query("SELECT seq, kind, version_id FROM change ORDER BY seq"),
        connection.query("SELECT version_id, ordinal FROM chunk ORDER BY version_id, ordinal"),
        connection.query("SELECT seq, blobs FROM purge"),
    ]


async def end_of(path: Path) -> list:
    ledger: Ledger = ledger_at(f"sqlite:///{path}", payload_sealer())
    async with ledger.store:
        await ledger.store.read(consistent)
        await work(ledger, LATER_US)
        await ledger.store.read(consistent)
        return await ledger.store.read(ended)


async def test_a_process_killed_at_any_statement(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.ports.rag.killed", str(tmp_path), str(STEP)]
    killed = int(subprocess.run(program, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    assert killed > 10
    whole = await end_of(tmp_path / "whole" / "ledger.db")
    for number in range(1, killed * STEP, STEP):
        assert await end_of(tmp_path / str(number) / "ledger.db") == whole, number
