"""The table of scenarios from its file, read again when it changes; a broken one leaves the last good one in force."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

from meshkit.reload import Reloaded, read_file
from meshkit.strict_yaml import parse_yaml

from router.domain.policy import SCENARIOS_INVALID, Scenarios


def file_scenarios(path: Path, served: Collection[str]) -> Reloaded[bytes, Scenarios]:
    """Return the table of a file. Raises FailedPrecondition that names the file. ``served``: names of the models whose files are here."""

    def load(content: bytes) -> Scenarios:
        table = Scenarios.from_document(parse_yaml(content), sha256(content).digest())
        table.check_standbys(served)
        return table

    return Reloaded(f"scenarios {path}", lambda: read_file(path), load, reason=SCENARIOS_INVALID)
