"""The row of the encoder: a Triton of its own, where some process uses one.

Its repository is the shim and, beside it, a link to the encoder's folder: all that a model of Triton is handed is where it lies.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.rows import Row
from localmesh.tritonserver import tritonserver

NAME = "triton-encoder"
_MODEL, _LINK = "encoder", "model"
_MANIFEST = "manifest.json"


class NoEncoderError(Exception):
    """There is no encoder to serve; the message says where one was looked for."""


def encoder_row(places: Places, ports: Ports) -> Row:
    """The row; NoEncoderError before a start when there is no encoder then."""
    listens = {"http": ports.triton_encoder_http, "grpc": ports.triton_encoder_grpc, "metrics": ports.triton_encoder_metrics}
    repository = places.var / "encoder" / "repository"
    row = tritonserver(places, NAME, listens, repository, lambda: assemble(repository, places.encoder_shims, places.encoder_model))
    return replace(row, reads=frozenset({"FINMESH_ENCODER_THREADS"}))


def assemble(repository: Path, shims: Path, model: Path) -> None:
    """Makes `repository` hold the shim and a link to the encoder, and nothing else. NoEncoderError, OSError."""
    if not (model / _MANIFEST).is_file():
        raise NoEncoderError(f"no encoder in {model}: make setup makes the usual one, FINMESH_ENCODER_MODEL names another")
    shutil.rmtree(repository, ignore_errors=True)
    shutil.copytree(shims / _MODEL, repository / _MODEL, ignore=shutil.ignore_patterns("__pycache__"))
    (repository / _MODEL / _LINK).symlink_to(model.resolve())
