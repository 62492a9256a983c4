"""A model's card with anything in it: the one typed error, never another."""

import json
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from meshkit.errors import FailedPrecondition
from risk_scoring.adapters.model_files import load_model_files

from tests.unit.meshkit.test_strict_json import PLAIN

CARDS = PLAIN | st.fixed_dictionaries(
    {"thresholds": PLAIN | st.fixed_dictionaries(dict.fromkeys(("challenge", "review", "decline"), PLAIN)), "feature_schema_version": PLAIN}
)


@given(CARDS.map(json.dumps).map(str.encode) | st.sampled_from([b"", b"\xff", b'{"thresholds": 1, "thresholds": 2}', b"[" * 10_000]))
def test_anything_in_the_card(card: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder) / "fraud" / "1"
        version.mkdir(parents=True)
        for name, content in (("model.onnx", b""), ("model.txt", b"tree"), ("card.json", card)):
            (version / name).write_bytes(content)
        with pytest.raises(FailedPrecondition):
            load_model_files(Path(folder))
