"""Where a campaign stands, in a file, so that one that was interrupted goes on: counts, and how far requests and kills have come."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from drills.faults_llm.verdict import Tally

FILE = "campaign.json"


@dataclass
class State:
    """`asked`: number of the next request; `killed`: of the next kill."""

    seed: int
    asked: int = 0
    killed: int = 0
    tally: Tally = field(default_factory=Tally)

    def save(self, folder: Path) -> None:
        """Write it beside and rename, so that a file is whole or the one before."""
        beside = folder / f"{FILE}.new"
        beside.write_text(json.dumps(asdict(self), indent=1))
        beside.replace(folder / FILE)


def load(folder: Path, seed: int) -> State:
    """What an earlier run of this seed left, or the beginning. Raises ValueError for a file of another kind."""
    file = folder / FILE
    if not file.exists():
        return State(seed)
    try:
        content: dict[str, Any] = json.loads(file.read_text())
        return State(seed, content["asked"], content["killed"], Tally(**content["tally"]))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{file} is no state of a campaign: remove it, or name another seed") from error
