"""A converted model's folder as a session: files checked against the manifest, then handed to ONNX Runtime.

Surprising: a graph of one file is given to ONNX Runtime as the very bytes whose digest was compared; one with weights in a second file has
to be read by ONNX Runtime itself. Threads of the session wait awake for a moment, which spans the gaps inside a step (a tenth of its time),
and then sleep: an idle engine shares its cores with others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from engine.llm import manifest as manifests
from engine.llm.manifest import Manifest
from engine.llm.model_files import TOKENIZER

_SPIN_US = 50
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class WrongProviderError(ValueError):
    """This ONNX Runtime has not the provider that the model was made for, or not what its graph asks of it."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """``device``: where keys and values live, as ONNX Runtime names it."""

    manifest: Manifest
    session: ort.InferenceSession
    tokenizer_json: str
    device: str
    device_id: int
    threads: int


def load(folder: Path, *, threads: int = 2, device_id: int = 0) -> LoadedModel:
    """Check and open a model. Raises MalformedManifestError, WrongFileError, WrongProviderError."""
    manifest = manifests.read(folder)
    provider = _PROVIDERS[manifest.provider]
    if provider not in ort.get_available_providers():
        raise WrongProviderError(f"{manifest.name} was made for {manifest.provider}; ONNX Runtime here has {ort.get_available_providers()}")
    manifest.verify(folder)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN_US))
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    is_whole = manifests.MODEL_DATA not in manifest.files
    source = manifest.content(folder, manifests.MODEL) if is_whole else str(folder / manifests.MODEL)
    chosen = [provider] if manifest.provider == "cpu" else [(provider, {"device_id": device_id}), _PROVIDERS["cpu"]]
    try:
        session = ort.InferenceSession(source, options, providers=chosen)
    except Exception as error:  # ONNX Runtime's exceptions have no common class of their own
        raise WrongProviderError(f"ONNX Runtime {ort.__version__} refuses {manifest.name} on {manifest.provider}: {error}") from error
    if provider not in session.get_providers():
        raise WrongProviderError(f"{manifest.name} cannot run on {manifest.provider} here")
    tokenizer = manifest.content(folder, TOKENIZER).decode("utf-8")
    return LoadedModel(
        manifest=manifest,
        session=session,
        tokenizer_json=tokenizer,
        device=manifest.provider,
        device_id=device_id if manifest.provider != "cpu" else 0,
        threads=threads,
    )
