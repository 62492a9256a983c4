"""Engines that spoil some hand-offs, or go slow or wrong, on purpose: what Triton loads in place of `models/llm` in a campaign alone.

They compose libs/engine, which has no switch for any of this. Triton is given a folder of its own for each model, and its Python has no
drills: so `kinds`, `spoiling` and `troubles` import nothing of it, and `assemble` lays them beside a model that is made of them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

SLOW, WRONG = "slow", "wrong"
"""Files in an engine's folder (`localmesh.engines.folder_of`) that make it so, and well again when they are gone: see `troubles`."""

_MODEL = '''"""The shim of models/llm with a {side} that spoils some hand-offs."""

from functools import partial
from pathlib import Path

import troubles
from engine.stub.model import Model
from kinds import Count, draw, heals
from spoiling import Spoiling{name}

troubles.install()


class TritonPythonModel(Model):
    """Operations of finmesh.engine.v1."""

    def __init__(self) -> None:
        tell = Count(Path("run"))  # a link in Triton's working folder; what lies beside the model goes with each start
        super().__init__({side}=partial(Spoiling{name}, draw=draw, tell=tell, heals=heals))
'''


_WELL = '''"""The shim of models/llm in which nothing is spoilt, until it goes slow or wrong."""

import troubles
from engine.stub.model import Model

troubles.install()


class TritonPythonModel(Model):
    """Operations of finmesh.engine.v1."""
'''


def trouble(engine: Path, slow_s: float = 0.0, wrong: bool = False) -> None:
    """Make the engine of this folder slow (each step sleeps so long), wrong, or well again. Raises OSError."""
    for name, content in ((SLOW, f"{slow_s}" if slow_s else ""), (WRONG, "wrong" if wrong else "")):
        if content:
            fresh = engine / f".{name}"
            fresh.write_text(content, encoding="ascii")
            fresh.replace(engine / name)
        else:
            (engine / name).unlink(missing_ok=True)


def assemble(real: Path, folder: Path, *, spoils: bool = True) -> Path:
    """Make the two models below ``folder`` out of those in ``real`` (models/llm) and return it. Raises OSError.

    ``spoils``: whether they spoil hand-offs; both kinds can go slow or wrong (`trouble`).
    """
    for model, side in (("llm_prefill", "publisher"), ("llm_decode", "puller")):
        code = folder / model / "1"
        code.mkdir(parents=True)
        shutil.copyfile(real / model / "config.pbtxt", folder / model / "config.pbtxt")
        for name in ("kinds.py", "spoiling.py", "troubles.py"):
            shutil.copyfile(Path(__file__).parent / name, code / name)
        text = _MODEL.format(side=side, name=side.title()) if spoils else _WELL
        (code / "model.py").write_text(text, encoding="ascii")
    return folder
