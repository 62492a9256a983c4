"""Triton Inference Server with its Python backend, taken out of the nvidia-pytriton wheel and laid out as Triton expects it.

The wheel holds one stub per Python version; the one that matches this interpreter must lie beside the backend library.
"""

import shutil
import sys
import sysconfig
from pathlib import Path

from localmesh.fetch import wheel
from localmesh.fetch.once import MissingToolError, once

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def fetch(stack: Path) -> Path:
    """Folder with `bin/tritonserver`, `lib/` and `backends/python/`."""
    python_library()
    return once(stack / f"triton-{wheel.version('nvidia-pytriton')}-py{PYTHON}", _build)


def python_library() -> Path:
    """Folder of this interpreter's libpython, which the stub links to; MissingToolError when it was built without one."""
    name = str(sysconfig.get_config_var("INSTSONAME"))
    folders = [Path(str(sysconfig.get_config_var("LIBDIR"))), Path(sys.base_prefix) / "lib"]
    multiarch = sysconfig.get_config_var("MULTIARCH")
    folders += [Path("/usr/lib") / str(multiarch)] if multiarch else []
    for folder in folders:
        if name.endswith((".so.1.0", ".so", ".dylib")) and (folder / name).exists():
            return folder
    for folder in folders:
        if (folder / f"libpython{PYTHON}.so.1.0").exists():
            return folder
    raise MissingToolError(f"Triton's Python stub needs libpython{PYTHON}.so.1.0 (Debian: apt install libpython{PYTHON})")


def _build(folder: Path) -> None:
    wheel.unpack("nvidia-pytriton", folder)
    server = folder / "pytriton" / "tritonserver"
    stub = server / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
    if not stub.exists():
        have = ", ".join(sorted(p.name for p in stub.parent.parent.iterdir()))
        raise MissingToolError(f"this Triton has no stub for Python {PYTHON} (it has {have}): make setup PYTHON=python3.12, for example")
    shutil.move(server / "bin", folder / "bin")
    shutil.move(server / "backends", folder / "backends")
    shutil.move(stub, folder / "backends" / "python" / stub.name)
    shutil.move(folder / "nvidia_pytriton.libs", folder / "lib")
    for program in (folder / "bin" / "tritonserver", folder / "backends" / "python" / stub.name):
        program.chmod(0o755)
    shutil.rmtree(folder / "pytriton")
