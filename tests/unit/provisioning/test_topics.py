import contextlib
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given
from localmesh.places import Places
from meshkit.errors import InvalidDocument
from provisioning.topics import Wanted, load, wanted

from tests.unit.meshkit.test_strict_json import PLAIN

ENTRY = """
  - name: finmesh.risk.v1.TransactionDecided
    partitions: 4
    retention_ms: 1000
    key: account_id
    writers: [risk-scoring]
    readers: [audit]
    message: finmesh.risk.v1.TransactionDecided
    dead_letter: true
"""


def test_the_file_of_this_repository_is_right() -> None:
    topics = load(Places.default().topics)
    decided = {topic.name for topic in topics if "risk-scoring" in topic.writers}
    assert "finmesh.risk.v1.TransactionDecided" in decided


def written(folder: Path, text: str) -> Path:
    file = folder / "topics.yaml"
    file.write_text("topics:" + text)
    return file


def test_an_entry_becomes_a_topic_and_its_dead_letters(tmp_path: Path) -> None:
    main, dead = wanted(load(written(tmp_path, ENTRY)), "test.")
    assert main == Wanted("test.finmesh.risk.v1.TransactionDecided", 4, {"cleanup.policy": "delete", "retention.ms": "1000"})
    assert (dead.name, dead.partitions) == ("test.finmesh.risk.v1.TransactionDecided.dead-letter", 1)


@pytest.mark.parametrize(
    "old, new",
    [
        ("partitions: 4", "partitions: 0"),
        ("name: finmesh.risk.v1", "name: finmesh_risk.v1"),
        ("retention_ms: 1000", "retention: 1000"),
        ("retention_ms: 1000", "cleanup_policy: delete"),
        ("dead_letter: true", "cleanup_policy: compact"),
    ],
)
def test_a_mistake_in_the_file_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert old in ENTRY
    with pytest.raises(InvalidDocument):
        load(written(tmp_path, ENTRY.replace(old, new)))


@pytest.mark.parametrize(
    "text", ["", "topics:", "topics: 1", "- 1", "topics: []\ntopics: []", "topics: &a [*a]", "[" * 9999, "topics: [{name: 渠道}]"]
)
def test_a_file_that_is_something_else_is_refused_in_one_line_with_its_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidDocument, match=r"^[^\n]*\.yaml: [^\n]+$"):
        file = tmp_path / "topics.yaml"
        file.write_text(text)
        load(file)


@given(PLAIN | st.fixed_dictionaries({"topics": st.lists(PLAIN | st.fixed_dictionaries({"name": PLAIN, "partitions": PLAIN}))}))
def test_anything_at_all_raises_nothing_else(document: object) -> None:
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file, contextlib.suppress(InvalidDocument):
        file.write(yaml.safe_dump(document).encode())
        file.flush()
        assert load(Path(file.name)) == ()


def test_a_topic_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match="TransactionDecided twice"):
        load(written(tmp_path, ENTRY + ENTRY))
