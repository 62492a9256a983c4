"""One operating system process of the mesh: its own session and process group, output appended to a log file."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from localmesh.rows import Row

GUARD = Path(__file__).with_name("guard.py")


class Child:
    """A started process. It is dead with everything it started once `end` returned."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, row: Row, log: Path) -> "Child":
        """Starts `row`, with its part of our environment. The command failing to exec shows as exit status 127."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), *row.command,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=row.cwd, env=row.environment(os.environ), start_new_session=True,
            )  # fmt: skip
        return cls(process)

    async def exited(self) -> int:
        """Exit status, negative for a signal; what the process left in its group is killed."""
        status = await self._process.wait()
        self._signal_group(signal.SIGKILL)
        return status

    def send(self, number: signal.Signals) -> None:
        """Sends to the process alone, as an accident would."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def end(self, grace_s: float) -> int:
        """SIGTERM, grace_s to finish, then SIGKILL to the whole group."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        try:
            async with asyncio.timeout(grace_s):
                return await self.exited()
        except TimeoutError:
            self._signal_group(signal.SIGKILL)
            return await self.exited()

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
