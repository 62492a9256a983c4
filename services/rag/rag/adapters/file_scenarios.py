"""The table of scenarios from its file, read again when it changes; a broken one leaves the last good one in force."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from meshkit.reload import Reloaded, read_file
from meshkit.strict_yaml import parse_yaml

from rag.domain.scenarios import SCENARIOS_INVALID, Scenarios


def file_scenarios(path: Path) -> Reloaded[bytes, Scenarios]:
    """Return the table of a file. Raises FailedPrecondition that names the file."""

    def load(content: bytes) -> Scenarios:
        return Scenarios.from_document(parse_yaml(content), sha256(content).digest())

    return Reloaded(f"scenarios {path}", lambda: read_file(path), load, reason=SCENARIOS_INVALID)
