"""Thin shim: Triton's Python backend in, libs/engine's stub out. engine.json says that this engine writes answers."""

from engine.stub.model import Model


class TritonPythonModel(Model):
    """Operations of finmesh.engine.v1."""
