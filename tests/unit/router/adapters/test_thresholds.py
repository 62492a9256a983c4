"""The threshold of a model stands beside it; without the file there is none, and a wrong file is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from llm import tiny
from meshkit.errors import FailedPrecondition
from router.adapters.file_thresholds import FILE, thresholds


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("模型"))


def test_it_is_read_by_the_model_s_name(model: Path) -> None:
    (model / FILE).unlink(missing_ok=True)
    assert thresholds([model]) == {}
    (model / FILE).write_text('{"threshold": 0.93, "bins": []}')
    assert list(thresholds([model]).values()) == [0.93]


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"threshold": "1"}', '{"threshold": 1.5}', '{"threshold": true}', '{"threshold": -1}']
)
def test_a_wrong_file_is_named(model: Path, content: str) -> None:
    (model / FILE).write_text(content)
    with pytest.raises(FailedPrecondition, match=FILE) as wrong:
        thresholds([model])
    assert wrong.value.reason == "CALIBRATION_INVALID"
