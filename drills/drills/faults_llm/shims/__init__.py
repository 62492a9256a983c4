"""Engines that spoil some hand-offs on purpose: what Triton loads in place of `models/llm` in a campaign, and nowhere else.

They compose libs/engine, which has no switch for any of this. Triton is given a folder of its own for each model, and its Python has no
drills: so `kinds` and `spoiling` import nothing of it, and `assemble` lays them beside a model that is made of them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

_MODEL = '''"""The shim of models/llm with a {side} that spoils some hand-offs."""

from functools import partial
from pathlib import Path

from engine.stub.model import Model
from kinds import Count, draw, heals
from spoiling import Spoiling{name}


class TritonPythonModel(Model):
    """Operations of finmesh.engine.v1."""

    def __init__(self) -> None:
        tell = Count(Path("run"))  # a link in Triton's working folder; what lies beside the model goes with each start
        super().__init__({side}=partial(Spoiling{name}, draw=draw, tell=tell, heals=heals))
'''


def assemble(real: Path, folder: Path) -> Path:
    """Make the two models below ``folder`` out of those in ``real`` (models/llm) and return it. Raises OSError."""
    for model, side in (("llm_prefill", "publisher"), ("llm_decode", "puller")):
        code = folder / model / "1"
        code.mkdir(parents=True)
        shutil.copyfile(real / model / "config.pbtxt", folder / model / "config.pbtxt")
        for name in ("kinds.py", "spoiling.py"):
            shutil.copyfile(Path(__file__).parent / name, code / name)
        (code / "model.py").write_text(_MODEL.format(side=side, name=side.title()), encoding="ascii")
    return folder
