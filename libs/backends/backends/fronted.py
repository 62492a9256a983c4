"""Rows of `accelerators.yaml` as engines behind the port: for each kind and role, what speaks with it."""

from __future__ import annotations

from collections.abc import Iterable

from meshkit.crypto.ring import Ring
from meshkit.errors import FailedPrecondition

from backends.accelerator_options import HttpOptions, OpenAiOptions
from backends.accelerators import OipRow, OpenAiRow, OpenVinoRow, Row, TritonRow, VllmRow
from backends.oip.engine import OipEngine
from backends.openai.engine import OpenAiEngine
from backends.port import Backend
from backends.triton_engine import BUFFER_TOKENS, TritonEngine
from backends.vllm.decode import VllmDecode
from backends.vllm.prefill import VllmPrefill
from backends.vllm.ticket import TicketKey


def fronted(
    rows: Iterable[tuple[Row, str]], triton_model: str, tickets: Ring[TicketKey] | None, buffer_tokens: int = BUFFER_TOKENS
) -> list[Backend]:
    """Return the engines of rows in their roles, in order. Raises FailedPrecondition (KIND_UNSUPPORTED).

    ``triton_model``: what our own engine is called in its Triton. ``tickets``: see `backends.vllm.keys`.
    """
    return [made(row, role, triton_model, buffer_tokens, tickets) for row, role in rows]


def made(row: Row, role: str, triton_model: str, buffer_tokens: int, tickets: Ring[TicketKey] | None = None) -> Backend:
    """Return the engine of one row in one of its roles."""
    if isinstance(row, TritonRow):
        return TritonEngine(row.url, triton_model, row.options.pid_file, buffer_tokens=buffer_tokens)
    if isinstance(row, OpenAiRow):
        return OpenAiEngine(row, row.options, buffer_tokens=buffer_tokens)
    if isinstance(row, VllmRow) and role == "generate":
        told = {name: value for name, value in row.options if name in HttpOptions.model_fields}
        return OpenAiEngine(row, OpenAiOptions(prompts="ids", tokens="ids", **told), buffer_tokens=buffer_tokens)
    if isinstance(row, OipRow | OpenVinoRow):
        tensors = row.options.tensors() if isinstance(row, OpenVinoRow) else row.options
        return OipEngine(row, tensors, buffer_tokens=buffer_tokens)
    if isinstance(row, VllmRow) and tickets is not None:
        return VllmPrefill(row, tickets) if role == "prefill" else VllmDecode(row, tickets, buffer_tokens=buffer_tokens)
    raise FailedPrecondition(f"row {row.name}: kind {row.kind} as {role} is not spoken here", reason="KIND_UNSUPPORTED")
