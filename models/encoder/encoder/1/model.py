"""Thin shim: Triton's Python backend in, libs/engine's encoder out. The encoder lies in the folder `model` beside this version."""

from engine.encoder.model import Model


class TritonPythonModel(Model):
    """Ids and mask to vectors."""
