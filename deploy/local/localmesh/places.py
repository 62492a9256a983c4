"""Where things lie: the checkout, downloaded software (`.stack/`), run state (`var/`). Everything else asks here.

A test passes its own `var` folder; `.stack/` is shared, because nothing in it changes after it was fetched, and so are the language
models that set-up converts into `var/models` of the checkout.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of one mesh; `var` is the only one that a running mesh writes to.

    `llm_model`: the language model that engines serve (its manifest lies there). `specialists`: models
    that the repository ships, served beside it. `shims`: what their Tritons load. `encoder_model` and
    `encoder_shims`: the same of the encoder.
    """

    var: Path
    stack: Path = ROOT / ".stack"
    root: Path = ROOT
    models: Path = ROOT / "models" / "repository"
    llm_model: Path = ROOT / "var" / "models" / "default"
    specialists: Path | None = None
    shims: Path = ROOT / "models" / "llm"
    encoder_model: Path = ROOT / "var" / "models" / "encoder"
    encoder_shims: Path = ROOT / "models" / "encoder"
    topics: Path = ROOT / "deploy" / "topics.yaml"

    def served(self, known: Iterable[str]) -> dict[str, Path]:
        """Folders of those specialists whose models are here, by name; none beside another general model, of a test or a drill."""
        if self.specialists is None or self.llm_model != ROOT / "var" / "models" / "default":
            return {}
        return {name: self.specialists / name for name in known if (self.specialists / name / "manifest.json").is_file()}

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

    @property
    def milvus_python(self) -> Path:
        """The environment of Milvus Lite's server."""
        return self.root / ".venv-milvus"

    @staticmethod
    def default() -> "Places":
        """The checkout's own folders; FINMESH_VAR moves the run state, FINMESH_LLM_MODEL and FINMESH_ENCODER_MODEL name other models."""
        usual = Places(var=Path(os.environ.get("FINMESH_VAR", ROOT / "var")).resolve(), specialists=ROOT / "models" / "specialists")
        given = {"llm_model": os.environ.get("FINMESH_LLM_MODEL"), "encoder_model": os.environ.get("FINMESH_ENCODER_MODEL")}
        return replace(usual, **{name: Path(path).resolve() for name, path in given.items() if path})
