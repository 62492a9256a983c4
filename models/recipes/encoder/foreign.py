"""An encoder of somebody else: its graph and tokenizer as they are, and a manifest that says how they are used."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
from engine.encoder.manifest import MEAN, MODEL, WHOLE, Graph, Prefixes
from engine.llm.manifest import Source
from engine.llm.model_files import TOKENIZER
from llm.folder import sha256
from tokenizers import Tokenizer

from encoder.errors import EncoderError
from encoder.folder import Facts, write

_IDS, _MASK, _TYPES = ("ids", "input_ids"), ("mask", "attention_mask"), ("token_type_ids",)
_PLACES = (MODEL, f"onnx/{MODEL}")
_PADS = ("<pad>", "[PAD]", "<|pad|>", "<|endoftext|>")


@dataclass(frozen=True, slots=True)
class Choices:
    """What the files do not say; empty: as it is there."""

    name: str = ""
    licence: str = "not stated"
    query_prefix: str = ""
    passage_prefix: str = ""
    output: str = ""
    pooling: str = ""
    max_tokens: int = 512


def take(folder: Path, root: Path, choices: Choices) -> Path:
    """Return the encoder's folder below ``root``. Raises EncoderError, OSError."""
    model = next((folder / place for place in _PLACES if (folder / place).is_file()), None)
    if model is None or not (folder / TOKENIZER).is_file():
        raise EncoderError(f"{folder}: no {MODEL} with a {TOKENIZER}")
    files = {MODEL: model, TOKENIZER: folder / TOKENIZER} | {name: model.with_name(name) for name in _beside(model)}
    digest = hashlib.sha256("".join(f"{name} {sha256(path)}\n" for name, path in sorted(files.items())).encode()).hexdigest()
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    except Exception as error:  # of a kind of their own, both
        raise EncoderError(f"{folder}: {error}") from error
    graph, width = _graph(session, choices)
    facts = Facts(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", choices.name or folder.resolve().name).strip("-._")[:128] or "encoder",
        dimension=width,
        vocabulary=tokenizer.get_vocab_size(),
        max_tokens=choices.max_tokens,
        pad_id=next((found for pad in _PADS if (found := tokenizer.token_to_id(pad)) is not None), 0),
        prefixes=Prefixes(choices.query_prefix, choices.passage_prefix),
        graph=graph,
        source=Source(folder.resolve().name, digest),
        licence=choices.licence,
    )
    try:
        return write(root, files, facts)
    except ValueError as error:
        raise EncoderError(f"{folder}: {error}") from error


def _beside(model: Path) -> list[str]:
    """Names of files with weights beside the graph."""
    graph = onnx.load(model, load_external_data=False).graph
    found = {entry.value for tensor in graph.initializer for entry in tensor.external_data if entry.key == "location"}
    if any(Path(name).name != name for name in found):
        raise EncoderError(f"{model}: weights outside of its folder")
    return sorted(found)


def _graph(session: Any, choices: Choices) -> tuple[Graph, int]:
    inputs = [each.name for each in session.get_inputs()]
    outputs = {each.name: each for each in session.get_outputs()}
    name = choices.output or next(iter(outputs))
    if name not in outputs:
        raise EncoderError(f"the graph has no output {name}: {', '.join(outputs)}")
    shape = outputs[name].shape
    if len(shape) not in (2, 3) or not isinstance(shape[-1], int):
        raise EncoderError(f"output {name} is {shape}: vectors for each text or piece are needed")
    ids, mask, types = (next((each for each in inputs if each in names), None) for names in (_IDS, _MASK, _TYPES))
    if ids is None or mask is None or set(inputs) - {ids, mask, types}:
        raise EncoderError(f"inputs {', '.join(inputs)}: ids and a mask are needed, and nothing else is known here")
    pooling = choices.pooling or (WHOLE if len(shape) == 2 else MEAN)
    return Graph(ids=ids, mask=mask, types=types, output=name, pooling=pooling), shape[-1]
