"""A GGUF file is not trusted: whatever its bytes, an error that names file and field, in little memory, and never another one."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from llm import gguf_model
from llm.convert import Choices, convert
from llm.errors import MalformedModelError, ModelError, UnsupportedModelError
from llm.gguf_file import GgufFile

from .gguf_written import Change, write
from .test_reference import FOLDER

MOST_BYTES = 40 << 20
STRING, ARRAY, U32, U64 = 8, 9, 4, 10


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("sound") / "model.gguf", FOLDER / "llama", "Q4_1").read_bytes()


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def header(*parts: bytes, fields: int = 0, tensors: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, fields) + b"".join(parts)


def tensor(name: bytes = b"t", shape: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, offset)


FILES: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "header", "shorter"),
    "magic": (b"GGML" + b"\0" * 60, "header", "does not begin"),
    "version": (header(version=1) + b"\0" * 32, "version", "1 is not known"),
    "big-endian": (header(version=0x03000000) + b"\0" * 32, "version", "big-endian"),
    "counts": (header(fields=1 << 60), "header", "more than"),
    "many tensors": (header(tensors=1 << 60), "header", "more than"),
    "fields without bytes": (header(fields=5), "metadata field 0", "truncated"),
    "a key of 2^63 bytes": (header(struct.pack("<Q", 1 << 63), fields=1), "metadata field 0", "a name of"),
    "a text of 2^63 bytes": (header(text(b"k"), struct.pack("<IQ", STRING, 1 << 63), fields=1), "k", "a text of"),
    "a list of 2^62 texts": (header(text(b"k"), struct.pack("<IIQ", ARRAY, STRING, 1 << 62), fields=1), "k", "more than the file holds"),
    "2^62 numbers": (header(text(b"k"), struct.pack("<IIQ", ARRAY, U64, 1 << 62), fields=1), "k", "truncated"),
    "a list of lists": (header(text(b"k"), struct.pack("<IIQ", ARRAY, ARRAY, 1), fields=1), "k", "type 9"),
    "an unknown type": (header(text(b"k"), struct.pack("<I", 77), fields=1), "k", "type 77"),
    "no UTF-8": (header(text(b"\xff\xfe"), fields=1), "metadata field 0", "no UTF-8"),
    "a key twice": (header(*[text(b"k") + struct.pack("<II", U32, 1)] * 2, fields=2), "metadata field 1", "stands twice"),
    "five axes": (header(tensor(shape=(1,) * 5), tensors=1), "tensor t", "5 axes"),
    "no axes": (header(tensor(shape=()), tensors=1), "tensor t", "0 axes"),
    "an axis of nothing": (header(tensor(shape=(32, 0)), tensors=1), "tensor t", "does not fit"),
    "2^126 numbers": (header(tensor(shape=(1 << 63, 1 << 63)), tensors=1), "tensor t", "truncated"),
    "beyond the end": (header(tensor(offset=1 << 40), tensors=1) + b"\0" * 256, "tensor t", "truncated"),
    "between alignments": (header(tensor(offset=3), tensors=1) + b"\0" * 256, "tensor t", "truncated"),
    "a tensor twice": (header(tensor(), tensor(), tensors=2) + b"\0" * 512, "tensor 1", "stands twice"),
    "a row that is no block": (header(tensor(shape=(33,), kind=8), tensors=1) + b"\0" * 256, "tensor t", "blocks of 32"),
    "alignment": (header(text(b"general.alignment"), struct.pack("<II", U32, 3), fields=1), "general.alignment", "power of two"),
    "alignment 0": (header(text(b"general.alignment"), struct.pack("<II", U32, 0), fields=1), "general.alignment", "power of two"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file_is_named_with_its_place(tmp_path: Path, name: str) -> None:
    content, field, message = FILES[name]
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ModelError, match=message) as refused:
        GgufFile(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (refused.value.field, refused.value.path) == (field, path)
    assert str(refused.value).startswith("hostile.gguf: ")
    assert peak < MOST_BYTES


@pytest.mark.parametrize(
    "value",
    [struct.pack("<IQ", STRING, 1 << 30), struct.pack("<IIQ", ARRAY, STRING, 1 << 27), struct.pack("<IIQ", ARRAY, U64, 1 << 27)],
    ids=["a text", "texts", "numbers"],
)
def test_a_file_with_a_hole_of_gigabytes_takes_no_memory(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(header(text(b"k"), value, fields=1))
    with path.open("r+b") as file:
        file.truncate(2 << 30)
    tracemalloc.start()
    with pytest.raises(MalformedModelError) as refused:
        GgufFile(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.field == "k"
    assert peak < MOST_BYTES


@pytest.mark.parametrize(
    ("kind", "name"), [(12, "Q4_K"), (14, "Q6_K"), (10, "Q2_K"), (6, "Q5_0"), (30, "BF16"), (23, "IQ4_XS"), (39, "MXFP4"), (99, "99")]
)
def test_other_kinds_are_refused_by_name(tmp_path: Path, kind: int, name: str) -> None:
    (tmp_path / "model.gguf").write_bytes(header(tensor(shape=(256,), kind=kind), tensors=1) + b"\0" * 4096)
    with pytest.raises(UnsupportedModelError, match=rf"tensor t: type {name}: F32, F16, Q8_0, Q4_0 and Q4_1 are converted"):
        GgufFile(tmp_path / "model.gguf")


def test_a_file_cut_anywhere_is_refused(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "cut.gguf"
    rng = random.Random(1)
    for length in [*range(0, 400), *(rng.randrange(len(sound)) for _ in range(200)), len(sound) - 33]:
        path.write_bytes(sound[:length])
        with pytest.raises(ModelError):
            gguf_model.read(path)


def test_a_file_with_other_bytes_is_read_or_refused(tmp_path: Path, sound: bytes) -> None:
    """2,000 files with one to four bytes changed, most of them where counts, lengths and types stand."""
    path, rng = tmp_path / "changed.gguf", random.Random(2)
    refused = 0
    for _ in range(2000):
        content = bytearray(sound)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(min(len(content), rng.choice((64, 2000, 20_000))))] = rng.randrange(256)
        path.write_bytes(content)
        try:
            found = gguf_model.read(path)
            for name in found.architecture.shapes():
                found.weight(name)
        except ModelError:
            refused += 1
    assert refused > 500


def key(name: str, value: Any, kind: gguf.GGUFValueType | None = None) -> Change:
    """The key with another value, and in another type than it has when `kind` says so."""

    def change(writer: gguf.GGUFWriter) -> None:
        fields = writer.kv_data[0]
        fields.pop(name, None)
        if value is not None:
            writer.add_key_value(name, value, kind or gguf.GGUFValueType.get_type(value))

    return change


def extra(name: str, shape: tuple[int, ...]) -> Change:
    return lambda writer: writer.add_tensor(name, np.ones(shape, np.float32))


UNSUPPORTED: dict[str, tuple[Change, str]] = {
    "mamba": (key("general.architecture", "mamba"), "general.architecture: mamba"),
    "yarn": (key("llama.rope.scaling.type", "yarn"), "llama.rope.scaling.type: yarn"),
    "longrope": (key("llama.rope.scaling.type", "longrope"), "llama.rope.scaling.type: longrope"),
    "a window": (key("llama.attention.sliding_window", 4096), "llama.attention.sliding_window: 4096"),
    "experts": (key("llama.expert_count", 8), "llama.expert_count: 8"),
    "heads by layer": (key("llama.attention.head_count_kv", [2, 2]), "llama.attention.head_count_kv: several values"),
    "a part of a head is turned": (key("llama.rope.dimension_count", 8), "llama.rope.dimension_count: 8"),
    "values of another width": (key("llama.attention.value_length", 32), "llama.attention.value_length: 32"),
    "sentencepiece": (key("tokenizer.ggml.model", "llama"), "tokenizer.ggml.model: llama"),
    "wordpiece": (key("tokenizer.ggml.model", "bert"), "tokenizer.ggml.model: bert"),
    "no tokenizer": (key("tokenizer.ggml.model", None), "tokenizer.ggml.model: None"),
    "an unknown cut": (key("tokenizer.ggml.pre", "deepseek-llm"), "tokenizer.ggml.pre: deepseek-llm"),
    "a tensor too much": (extra("blk.0.attn_sinks.weight", (4,)), "tensor blk.0.attn_sinks.weight: not a part"),
    "a layer too much": (extra("blk.2.attn_norm.weight", (64,)), "tensor model.layers.2.input_layernorm.weight: not a part"),
    "a bias": (extra("blk.0.attn_q.bias", (64,)), "tensor model.layers.0.self_attn.q_proj.bias: not a part"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_converted_is_refused_by_name(tmp_path: Path, name: str) -> None:
    change, message = UNSUPPORTED[name]
    with pytest.raises(UnsupportedModelError) as refused:
        gguf_model.read(write(tmp_path / "model.gguf", FOLDER / "llama", "F32", change))
    assert f"model.gguf: {message}" in str(refused.value)


MALFORMED: dict[str, tuple[Change, str]] = {
    "no layers": (key("llama.block_count", 0), "layers: 0"),
    "layers by the million": (key("llama.block_count", 1_000_000), "layers: 1000000"),
    "a missing key": (key("llama.embedding_length", None), "llama.embedding_length: missing"),
    "a text for a number": (key("llama.feed_forward_length", "96"), "llama.feed_forward_length: 96 is no whole number"),
    "another width": (key("llama.embedding_length", 128), "tensor model.embed_tokens.weight: shape (320, 64)"),
    "another vocabulary": (key("llama.vocab_size", 321), "tensor model.embed_tokens.weight: shape (320, 64)"),
    "heads that do not divide": (key("llama.attention.head_count_kv", 3), "kv_heads: 4 heads do not divide"),
    "no heads": (key("llama.attention.head_count", 0), "llama.attention.head_count: 0"),
    "no context": (key("llama.context_length", 0), "max_position: 0"),
    "an epsilon that is none": (key("llama.attention.layer_norm_rms_epsilon", float("nan")), "layer_norm_rms_epsilon: nan is no number"),
    "a base of nothing": (key("llama.rope.freq_base", 0.0), "llama.rope.freq_base: 0.0 is not above 1"),
    "an end beyond": (key("tokenizer.ggml.eos_token_id", 320), "tokenizer.ggml.eos_token_id: [320] are not in the vocabulary"),
    "no tokens": (key("tokenizer.ggml.tokens", None), "tokenizer.ggml.tokens: missing"),
    "types of fewer": (key("tokenizer.ggml.token_type", [1, 1]), "tokenizer.ggml.token_type: not one whole number for each"),
    "types as text": (key("tokenizer.ggml.token_type", ["1"] * 320), "tokenizer.ggml.token_type: not one whole number for each"),
    "a token twice": (key("tokenizer.ggml.tokens", ["a"] * 320), "tokenizer.ggml.tokens: a token stands twice"),
    "a merge of nothing": (key("tokenizer.ggml.merges", ["xyzzy q"]), "tokenizer.ggml.merges: 'xyzzy q'"),
    "a merge of one": (key("tokenizer.ggml.merges", ["the"]), "tokenizer.ggml.merges: 'the '"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_contradicts_itself_is_named(tmp_path: Path, name: str) -> None:
    change, message = MALFORMED[name]
    with pytest.raises(MalformedModelError) as refused:
        gguf_model.read(write(tmp_path / "model.gguf", FOLDER / "llama", "F32", change))
    assert message in str(refused.value)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(MalformedModelError, match=r"tensor model\.layers\.1\.mlp\.up_proj\.weight: missing"):
        gguf_model.read(write(tmp_path / "model.gguf", FOLDER / "llama", "F32", leave_out="blk.1.ffn_up.weight"))


@pytest.mark.parametrize(("kind", "value"), [("F32", np.nan), ("F16", np.inf), ("Q8_0", np.inf), ("Q4_1", np.nan)])
def test_a_weight_that_is_no_number_is_named(tmp_path: Path, kind: str, value: float) -> None:
    path = write(tmp_path / "model.gguf", FOLDER / "llama", kind)
    (place,) = (each for each in gguf.GGUFReader(path).tensors if each.name == "blk.0.ffn_up.weight")
    content = bytearray(path.read_bytes())
    bits = np.array(value, np.float32 if kind == "F32" else np.float16).tobytes()
    content[place.data_offset : place.data_offset + len(bits)] = bits
    path.write_bytes(content)
    with pytest.raises(MalformedModelError, match=r"tensor model\.layers\.0\.mlp\.up_proj\.weight: a weight that is no number"):
        convert(path, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir()), "something was left behind"


def test_rounding_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "model.gguf", FOLDER / "llama", "Q4_0")
    with pytest.raises(UnsupportedModelError, match="QUANTISE: its weights are int4 already"):
        convert(path, tmp_path, Choices(quantise="int4"))
