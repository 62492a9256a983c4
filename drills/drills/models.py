"""Models that a drill or a bench makes for itself, by a recipe in the environment that has what recipes need."""

import subprocess
from pathlib import Path

from localmesh.places import ROOT


def made(recipe: str, root: Path, *more: str) -> Path:
    """Folder below `root` that `python -m recipe` (llm.tiny, llm.large) makes, or made before. Raises LookupError when it can't."""
    command = [str(ROOT / ".venv-models" / "bin" / "python"), "-m", recipe, "--root", str(root), *more]
    environment = {"PYTHONPATH": f"{ROOT / 'models' / 'recipes'}:{ROOT / 'libs' / 'engine'}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LookupError(f"{recipe} could not make its model: {done.stderr[-2_000:]}")
    return Path(done.stdout.strip().splitlines()[-1])
