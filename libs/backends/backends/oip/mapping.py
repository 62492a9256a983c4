"""What a model of the Open Inference Protocol is given and answers, by the names of its row; held against the model's own word. Pure.

Surprising: types and shapes come from the model, and not from the row: a row that names a tensor which is not there, or which can't hold
what is meant, is found out before the first request.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finmesh.inference.v1.decode_service_pb2 import DecodeRequest, Emitted
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH, FINISH_REASON_STOP, FinishReason, Token
from meshkit.errors import FailedPrecondition
from tritonclient.grpc import service_pb2

from backends.accelerator_options import OipOptions
from backends.lacking import lacks
from backends.writing import said_wrong

_INTEGERS = {"INT32": "i", "INT64": "q", "UINT32": "I", "UINT64": "Q"}
_FLOATS = {"FP32": "f", "FP64": "d"}
_FORMATS = {**_INTEGERS, **_FLOATS, "BOOL": "?"}
_TYPES: Mapping[str, tuple[str, ...]] = {
    "input_ids": tuple(_INTEGERS),
    "attention_mask": (*_INTEGERS, "BOOL"),
    "input_text": ("BYTES",),
    "max_tokens": tuple(_INTEGERS),
    "temperature": tuple(_FLOATS),
    "top_p": tuple(_FLOATS),
    "top_k": tuple(_INTEGERS),
    "seed": tuple(_INTEGERS),
    "ignore_end": ("BOOL",),
    "output_ids": tuple(_INTEGERS),
    "output_text": ("BYTES",),
    "output_logprobs": tuple(_FLOATS),
    "finish": ("BYTES",),
}
_VECTORS = ("input_ids", "attention_mask", "output_ids", "output_logprobs")
_OUTPUTS = ("output_ids", "output_text", "output_logprobs", "finish")
_FINISH: Mapping[str, FinishReason] = {"stop": FINISH_REASON_STOP, "length": FINISH_REASON_LENGTH}
_LACKING = {
    "temperature": ("TEMPERATURE",),
    "top_p": ("TOP_P",),
    "top_k": ("TOP_K",),
    "seed": ("SEED",),
    "ignore_end": ("IGNORE_END",),
    "output_logprobs": ("LOGPROBS",),
    "input_ids": ("TOKEN_IDS", "TOKEN_REPLAY"),
    "input_text": ("TEXT_REPLAY",),
}
_MOST_ID = 1 << 31


@dataclass(frozen=True, slots=True)
class Mapped:
    """``types``: of each tensor that the row names, by what it is for."""

    options: OipOptions
    types: Mapping[str, str]

    @property
    def missing(self) -> frozenset[str]:
        """What it lacks, in the words of `backends.lacking`."""
        absent = {what for name, words in _LACKING.items() if not getattr(self.options, name) for what in words}
        return frozenset({*absent, "GRAMMAR", "TOP_LOGPROBS"})

    @classmethod
    def of(cls, options: OipOptions, metadata: Any) -> Mapped:
        """Hold a row against a model's metadata. Raises FailedPrecondition (MAPPING_WRONG) that names everything that does not fit."""
        inputs, outputs = ({each.name: each for each in told} for told in (metadata.inputs, metadata.outputs))
        types, problems = dict[str, str](), list[str]()
        for what in _TYPES:
            if name := getattr(options, what):
                tensor = (outputs if what in _OUTPUTS else inputs).get(name)
                if tensor is None:
                    problems.append(f"{what}: the model has no {'output' if what in _OUTPUTS else 'input'} {name}")
                    continue
                types[what] = tensor.datatype
                problems += _unfit(what, name, tensor, options.batch)
        given = {getattr(options, what) for what in _TYPES if what not in _OUTPUTS}
        problems += [
            f"the model wants an input {name}, which the row does not give" for name in sorted(inputs.keys() - given - options.unused)
        ]
        if problems:
            raise FailedPrecondition("; ".join(problems)[:2000], reason="MAPPING_WRONG")
        return cls(options, types)

    def request(self, asked: DecodeRequest, choice: int, number: str) -> Any:
        """Return the message that asks for one choice. Raises FailedPrecondition (ENGINE_LACKS_TEXT_REPLAY) for half a character."""
        options, sampling = self.options, asked.sampling
        emitted = next((each for each in asked.emitted if each.choice == choice), Emitted())
        message = service_pb2.ModelInferRequest(model_name=options.served_model, model_version=options.version, id=number)
        ids = [*asked.prompt_tokens, *emitted.token_ids]
        begun = len(emitted.token_ids) or emitted.text_tokens
        is_drawn = sampling.temperature > 0
        values: dict[str, Sequence[Any]] = {
            "input_ids": ids,
            "attention_mask": [1] * len(ids),
            "input_text": [_text(asked.prompt_text, emitted)] if options.input_text else [],
            "max_tokens": [asked.bounds.max_output_tokens - begun],
            "temperature": [sampling.temperature],
            "top_p": [sampling.top_p if is_drawn and 0 < sampling.top_p < 1 else 1.0],
            "top_k": [sampling.top_k if is_drawn else 0],
            "seed": [(sampling.seed + choice) & 0x7FFFFFFF if is_drawn else 0],
            "ignore_end": [asked.bounds.ignore_end],
        }
        for what, value in values.items():
            if name := getattr(options, what):
                shape = [1, len(value)] if options.batch else [len(value)]
                message.inputs.add(name=name, datatype=self.types[what], shape=shape)
                message.raw_input_contents.append(_packed(self.types[what], value))
        for what in _OUTPUTS:
            if name := getattr(options, what):
                message.outputs.add(name=name)
        return message

    def answer(self, response: Any) -> tuple[list[Token], FinishReason | None]:
        """Return what a response says. Raises Unavailable (ENGINE_PROTOCOL)."""
        tensors = dict[str, list[Any]]()
        for at, tensor in enumerate(response.outputs):
            for what in _OUTPUTS:
                if tensor.name and tensor.name == getattr(self.options, what):
                    raw = response.raw_output_contents[at] if at < len(response.raw_output_contents) else None
                    tensors[what] = _unpacked(tensor, raw, self.types[what])
        texts, ids = tensors.get("output_text", []), tensors.get("output_ids", [])
        logprobs = tensors.get("output_logprobs")
        if not all(0 <= each < _MOST_ID for each in ids) or (logprobs is not None and len(logprobs) != len(ids)):
            raise said_wrong("the engine told ids that are none, or not one log-probability for each")
        tokens = [Token(token_id=each) for each in ids] + [Token(text=each, is_text_only=True) for each in texts if each]
        for token, logprob in zip(tokens, logprobs or [], strict=False):
            token.logprob = logprob
        words = [each.decode("utf-8", "replace") for each in tensors.get("finish", []) if each]
        if len(words) > 1 or (words and words[0] not in _FINISH):
            raise said_wrong("the engine broke the answer off", "ENGINE_FAILED")
        return tokens, _FINISH[words[0]] if words else None


def _unfit(what: str, name: str, tensor: Any, is_batch: bool) -> list[str]:
    """What of a tensor does not fit. A dimension of -1 is any."""
    problems = []
    if tensor.datatype not in _TYPES[what]:
        problems.append(f"{what}: {name} is {tensor.datatype[:20]}, and must be {' or '.join(_TYPES[what])}")
    shape = list(tensor.shape)
    if len(shape) != (2 if is_batch else 1):
        problems.append(f"{what}: {name} has {len(shape)} dimensions, and must have {2 if is_batch else 1}")
    elif what in _VECTORS and shape[-1] != -1:
        problems.append(f"{what}: {name} has room for {shape[-1]}, and must take any length")
    elif what not in _VECTORS and shape[-1] not in (1, -1):
        problems.append(f"{what}: {name} has {shape[-1]} elements, and must have one")
    return problems


def _text(prompt: str, emitted: Emitted) -> bytes:
    try:
        emitted.text.decode()
    except UnicodeDecodeError:
        raise lacks("TEXT_REPLAY", "half a character was told, and this engine takes text") from None
    return prompt.encode() + emitted.text


def _packed(datatype: str, values: Sequence[Any]) -> bytes:
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(each)) + each for each in values)
    try:
        return struct.pack(f"<{len(values)}{_FORMATS[datatype]}", *values)
    except struct.error:
        raise lacks("TOKEN_IDS", "a number of this request is too large for the engine's tensor") from None


def _unpacked(tensor: Any, raw: bytes | None, datatype: str) -> list[Any]:
    """The elements of an output, raw or in typed fields. Raises Unavailable (ENGINE_PROTOCOL)."""
    if tensor.datatype != datatype:
        raise said_wrong("the engine's tensor changed its type")
    if raw is None:
        contents = tensor.contents
        fields = {"INT32": contents.int_contents, "INT64": contents.int64_contents, "UINT32": contents.uint_contents}
        fields |= {"UINT64": contents.uint64_contents, "FP32": contents.fp32_contents, "FP64": contents.fp64_contents}
        return list(fields.get(datatype, contents.bytes_contents))
    if datatype != "BYTES":
        size = struct.calcsize(f"<{_FORMATS[datatype]}")
        if len(raw) % size:
            raise said_wrong("the engine's tensor has half an element")
        return list(struct.unpack(f"<{len(raw) // size}{_FORMATS[datatype]}", raw))
    found, at = list[bytes](), 0
    while at < len(raw):
        if at + 4 > len(raw) or at + 4 + (length := int.from_bytes(raw[at : at + 4], "little")) > len(raw):
            raise said_wrong("the engine's text is cut off")
        found.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return found
