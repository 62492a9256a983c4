"""Rows of `accelerators.yaml` as engines behind the port: for each kind and role, what speaks with it."""

from __future__ import annotations

from pathlib import Path

from meshkit.errors import FailedPrecondition

from backends.accelerators import ROLES, Row, TritonRow, read
from backends.port import Backend
from backends.triton_engine import BUFFER_TOKENS, TritonEngine


def fronted(path: Path, triton_model: str, *roles: str, buffer_tokens: int = BUFFER_TOKENS) -> list[Backend]:
    """Return the engines of a file that have one of these roles, in order. Raises FailedPrecondition (ACCELERATORS_INVALID).

    ``triton_model``: what our own engine is called in its Triton.
    """
    return [made(row, role, triton_model, buffer_tokens) for row, role in read(path).of(*roles)]


def made(row: Row, role: str, triton_model: str, buffer_tokens: int) -> Backend:
    """Return the engine of one row in one of its roles."""
    if isinstance(row, TritonRow):
        return TritonEngine(row.url, triton_model, row.options.pid_file, buffer_tokens=buffer_tokens)
    assert role in ROLES
    raise FailedPrecondition(f"row {row.name}: kind {row.kind} as {role} is not spoken here", reason="KIND_UNSUPPORTED")
