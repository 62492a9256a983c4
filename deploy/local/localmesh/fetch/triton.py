"""Triton Inference Server with its Python backend, taken out of the nvidia-pytriton wheel and laid out as Triton expects it.

The wheel holds one stub per Python version; the one of the interpreter that Triton uses must lie beside the backend library. Which
one that is, each mesh says for itself (`lay_out`), so the software is the same for all of them.

The backend starts its stub by a line of shell in which the stub's path and the model's stand unquoted, and the Python inside the stub
takes paths for ASCII. A mesh therefore runs Triton in a folder of links and names everything by them: whatever the checkout's path
holds, neither sees it.
"""

import shutil
from pathlib import Path

from localmesh.fetch import wheel
from localmesh.fetch.interpreter import probe
from localmesh.fetch.once import MissingToolError, once

_BACKEND = Path("backends", "python")
_STUB = "triton_python_backend_stub"
PROGRAMS = "/proc/self/cwd/python/bin"
"""Where the stub finds its `python3` in a folder that was laid out: an absolute path that is the same whatever the folder is called."""


def fetch(stack: Path) -> Path:
    """Folder with `bin/tritonserver`, `lib/`, `backends/python/` and `stubs/<version>/`."""
    return once(stack / f"triton-{wheel.version('nvidia-pytriton')}", _build)


def lay_out(folder: Path, software: Path, environment: Path, models: Path) -> None:
    """Makes `folder` hold `lib`, `libpython`, `backends` with the stub of the environment's Python, `python` and `models`, as links.

    MissingToolError when that Python can't run the stub.
    """
    interpreter = probe(environment / "bin" / "python3")
    if interpreter is None or interpreter.library is None or not interpreter.usable:
        raise MissingToolError(f"{environment} holds no Python that can run Triton's stub: remove that folder, then make setup")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / _BACKEND).mkdir(parents=True)
    for file in (software / _BACKEND).iterdir():
        (folder / _BACKEND / file.name).symlink_to(file)
    (folder / _BACKEND / _STUB).symlink_to(software / "stubs" / interpreter.version / _STUB)
    (folder / "lib").symlink_to(software / "lib")
    (folder / "libpython").symlink_to(interpreter.library)
    (folder / "python").symlink_to(environment)
    (folder / "models").symlink_to(models)


def _build(folder: Path) -> None:
    wheel.unpack("nvidia-pytriton", folder)
    server = folder / "pytriton" / "tritonserver"
    for source, target in (("bin", "bin"), ("backends", "backends"), ("python_backend_stubs", "stubs")):
        shutil.move(server / source, folder / target)
    shutil.move(folder / "nvidia_pytriton.libs", folder / "lib")
    for program in (folder / "bin" / "tritonserver", *folder.glob(f"stubs/*/{_STUB}")):
        program.chmod(0o755)
    shutil.rmtree(folder / "pytriton")
