"""Where things lie: the checkout, downloaded software (`.stack/`), run state (`var/`). Everything else asks here.

A test passes its own `var` folder; `.stack/` is shared, because nothing in it changes after it was fetched.
"""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of one mesh; `var` is the only one that a running mesh writes to."""

    var: Path
    stack: Path = ROOT / ".stack"
    root: Path = ROOT
    models: Path = ROOT / "models" / "repository"
    topics: Path = ROOT / "deploy" / "topics.yaml"

    @property
    def certs(self) -> Path:
        return self.var / "certs"

    @property
    def keys(self) -> Path:
        return self.var / "keys"

    @property
    def logs(self) -> Path:
        return self.var / "logs"

    @property
    def status(self) -> Path:
        return self.var / "mesh.json"

    @property
    def triton_python(self) -> Path:
        """The environment that Triton's Python stub uses (numpy 1.26: under numpy 2 it returns empty outputs)."""
        return self.root / ".venv-triton"

    @staticmethod
    def default() -> "Places":
        """The checkout's own folders; FINMESH_VAR moves the run state."""
        return Places(var=Path(os.environ.get("FINMESH_VAR", ROOT / "var")).resolve())
