"""A program for `test_kills.py`: children that do the same work on ledgers of their own, each killed before another of its statements.

Started as a process, since children are forked and a process with threads must not fork.
"""

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

from meshkit.testing.keys import payload_sealer
from rag.adapters.ledger.open import Ledger, ledger_at
from rag.domain.custody import Decision

from tests.ports.rag.handing_in import T, prepared, submission


async def work(ledger: Ledger, now_us: int) -> None:
    """Do everything that a ledger does; begun again, it goes on where it was."""
    epoch = await ledger.workbench.lead(f"leader {now_us}", 1.0, now_us)

    async def read() -> None:
        for job in await ledger.workbench.claim(epoch, (), 9, now_us):
            version = job.version.submission.source_version
            await ledger.workbench.publish(job, prepared([f"{version} 之一", f"{version} 之二"]), now_us)

    for document in ("甲", "乙", "丙"):
        await ledger.intake.enrol(submission(document, blob="0" * 64), now_us)
    await read()
    await ledger.intake.enrol(submission("甲", version=2, valid_from_us=5, valid_to_us=9), now_us)
    await read()
    await ledger.intake.withdraw(T, "乙", 1, now_us)
    purge = await ledger.custody.purge(T, "丙", Decision("p", "why", now_us))
    await ledger.custody.destroyed(purge.purge_id, "0" * 64)


class Killing(sqlite3.Connection):
    """Counts statements, BEGIN and COMMIT among them, and dies before one of them."""

    left = 0

    def execute(self, *arguments: object) -> sqlite3.Cursor:  # type: ignore[override]
        self.counted()
        return super().execute(*arguments)  # type: ignore[arg-type]

    def executemany(self, *arguments: object) -> sqlite3.Cursor:  # type: ignore[override]
        self.counted()
        return super().executemany(*arguments)  # type: ignore[arg-type]

    @staticmethod
    def counted() -> None:
        Killing.left -= 1
        if Killing.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def run(path: Path) -> None:
    ledger = ledger_at(f"sqlite:///{path}", payload_sealer())
    async with ledger.store:
        await work(ledger, 1)


def main(folder: Path, step: int) -> None:
    """Kill before every `step`-th statement, until a child reaches the end; print how many were killed."""
    connect = sqlite3.connect
    sqlite3.connect = lambda *path, **options: connect(*path, factory=Killing, **options)  # type: ignore[assignment]
    killed = 0
    for number in range(1, 100_000, step):
        child = os.fork()
        if child == 0:
            Killing.left = number
            asyncio.run(run(folder / str(number) / "ledger.db"))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == 0:
            break
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        killed += 1
    print(killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
