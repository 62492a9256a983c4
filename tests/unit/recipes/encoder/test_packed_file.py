"""The file that the package carries: read as it was written, and refused whenever it is cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from encoder import tiny
from encoder.errors import EncoderError
from encoder.packed_file import Blocks, read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(tiny.content(tiny.tiny()))
    return path


def test_it_is_read_as_it_was_written(path: Path) -> None:
    wanted, found = tiny.tiny(), read(path)
    assert (found.pieces, found.normal, found.hidden, found.unk_id) == (wanted.pieces, wanted.normal, tiny.HIDDEN, 3)
    np.testing.assert_array_equal(found.scores, wanted.scores)
    for name, tensor in wanted.tensors.items():
        if isinstance(tensor, Blocks):
            np.testing.assert_array_equal(found.tensors[name].packed, tensor.packed)  # type: ignore[union-attr]
            np.testing.assert_array_equal(found.tensors[name].scales, tensor.scales)  # type: ignore[union-attr]
        else:
            np.testing.assert_array_equal(found.tensors[name], tensor)  # type: ignore[arg-type]


def test_numbers_are_unpacked_low_half_first() -> None:
    packed = np.arange(16, dtype=np.uint8)[None] | (15 - np.arange(16, dtype=np.uint8))[None] << 4
    found = Blocks(packed[:, None], np.array([[0.5]], np.float32)).dense()
    assert found.tolist() == [[*((np.arange(16) - 8) / 2), *((7 - np.arange(16)) / 2)]]


def test_what_is_cut_short_or_no_such_file_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for size in [*range(0, 64), *range(64, len(content) - 1, 4_099)]:
        path.write_bytes(content[:size])
        with pytest.raises(EncoderError):
            read(path)
    path.write_bytes(b"GGUF" + content[4:])
    with pytest.raises(EncoderError):
        read(path)


def test_a_tensor_of_another_size_is_named() -> None:
    packed = tiny.tiny()
    with pytest.raises(EncoderError, match=r"emb\.pos"):
        packed.floats("emb.pos", 3)
    with pytest.raises(EncoderError, match=r"l0\.q\.w"):
        packed.matrix("l0.q.w", tiny.HIDDEN * 2, tiny.HIDDEN)
    with pytest.raises(EncoderError, match=r"l9\.q\.w"):
        packed.matrix("l9.q.w", 1, 32)
