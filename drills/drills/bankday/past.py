"""What the bank lived through before the day: imported into the feature store, so that customers, devices and counterparties are known.

The import is the one that a bank runs, `python -m risk_scoring.main.history`, with files of length-prefixed messages.
"""

import asyncio
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
from google.protobuf import proto
from localmesh.supervisor import Mesh, StartError
from simbank.labels import Labels
from simbank.schema import Transactions
from simbank.translate import Translator


@dataclass(frozen=True)
class Past:
    """Transactions before the day, and what was known of them when it began. Labels index the rows."""

    rows: Transactions
    labels: Labels
    known_until_us: int

    def write(self, translator: Translator, folder: Path) -> list[Path]:
        """Write both files; some ten microseconds a message."""
        transactions, labels = folder / "transactions.binpb", folder / "labels.binpb"
        with transactions.open("wb") as file:
            for row in range(len(self.rows)):
                proto.serialize_length_prefixed(translator.request(self.rows, row), cast(BytesIO, file))
        known = np.flatnonzero((self.labels.row < len(self.rows)) & (self.labels.known_at_us < self.known_until_us))
        with labels.open("wb") as file:
            for index in known.tolist():
                proto.serialize_length_prefixed(translator.label(self.rows, self.labels, index), cast(BytesIO, file))
        return [transactions, labels]


async def import_past(files: list[Path], mesh: Mesh) -> str:
    """Import the files into the mesh's feature store; returns what the import says. Raises StartError with its error."""
    other = ("FINMESH_KEYS__", "FINMESH_STREAM_")
    env = {name: value for name, value in mesh.env["risk-stream"].items() if name == "FINMESH_KEYS__IDS" or not name.startswith(other)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "risk_scoring.main.history", *map(str, files),
        env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said, failed = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise StartError(f"the history was not imported: {failed.decode(errors='replace').strip()[-500:]}")
    return said.decode().strip()
