"""The repository of an engine: the shim of its role beside the file that tells the shim who it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from provisioning.engines import FILE, EngineFile, KvEndpoint, NoModelError, Sizes, assemble
from provisioning.services import Engine, EnginePorts

PREFILL = Engine(
    name="triton-prefill", role="prefill", ports=EnginePorts(http=1, grpc=2, metrics=3, kv=4), keys=("tickets",), pulled_by=("decoders",)
)
DECODE = Engine(name="triton-decode", role="decode", ports=EnginePorts(http=5, grpc=6, metrics=7), keys=("tickets",))


@pytest.fixture
def shims(tmp_path: Path) -> Path:
    folder = tmp_path / "shims"
    for model in ("llm_prefill", "llm_decode"):
        (folder / model / "1" / "__pycache__").mkdir(parents=True)
        (folder / model / "1" / "model.py").write_text(f"# {model}\n")
        (folder / model / "config.pbtxt").write_text(f'name: "{model}"\n')
    return folder


@pytest.fixture
def content(tmp_path: Path) -> EngineFile:
    model = tmp_path / "模型"
    model.mkdir()
    (model / "manifest.json").write_text("{}")
    kv = KvEndpoint(certificate="/c.pem", key="/c.key", authority="/a.pem", server_name="inference-prefill", socket="/kv.sock")
    return EngineFile("prefill", "triton-prefill-2", str(model), kv, ticket_keys="/tickets.json", pid_file="/triton.pid")


def written(repository: Path) -> set[str]:
    return {path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()}


def test_it_holds_one_shim_and_what_the_shim_must_know(tmp_path: Path, shims: Path, content: EngineFile) -> None:
    repository = tmp_path / "仓库"
    assemble(repository, shims, PREFILL, content)
    assert written(repository) == {"llm_prefill/1/model.py", "llm_prefill/config.pbtxt", f"llm_prefill/{FILE}"}
    said = json.loads((repository / "llm_prefill" / FILE).read_bytes())
    assert said.keys() == {
        "version", "role", "worker_id", "model", "kv", "ticket_keys", "pid_file", "highest_grade", "price_per_hour_minor", "zone", "vendor",
        "device", "rows", "max_len_tokens", "threads", "arena_bytes", "prefix_store_bytes",
    }  # fmt: skip
    assert said["kv"].keys() == {"certificate", "key", "authority", "server_name", "socket", "listen", "address", "peers"}
    assert (said["version"], said["role"], said["worker_id"], said["model"]) == (1, "prefill", "triton-prefill-2", content.model)


def test_what_was_there_before_is_gone(tmp_path: Path, shims: Path, content: EngineFile) -> None:
    """A shim of the release before, and the other role's."""
    repository = tmp_path / "repository"
    assemble(repository, shims, DECODE, replace(content, role="decode"))
    (repository / "llm_decode" / "2").mkdir()
    assemble(repository, shims, PREFILL, content)
    assert {path.name for path in repository.iterdir()} == {"llm_prefill"}


def test_an_engine_has_the_sizes_of_its_role(content: EngineFile) -> None:
    sizes = Sizes(rows=9, prefill_rows=3, arena_bytes=1_000)
    prefill, decode = (json.loads(replace(content, role=role, sizes=sizes).content()) for role in ("prefill", "decode"))
    assert (prefill["rows"], prefill["arena_bytes"]) == (3, 1_000)
    assert (decode["rows"], decode["arena_bytes"]) == (9, 0), "nobody pulls from a decode engine"


def test_without_a_model_it_says_where_one_was_looked_for(tmp_path: Path, shims: Path, content: EngineFile) -> None:
    with pytest.raises(NoModelError, match="no language model in /nowhere: make setup"):
        assemble(tmp_path / "repository", shims, PREFILL, replace(content, model="/nowhere"))


def test_sizes_come_from_the_environment() -> None:
    assert Sizes.from_environment({"FINMESH_LLM_ROWS": "3", "FINMESH_LLM_THREADS": ""}) == Sizes(rows=3)
    with pytest.raises(ValueError, match="FINMESH_LLM_ROWS: 0 is not positive"):
        Sizes.from_environment({"FINMESH_LLM_ROWS": "0"})


def test_who_pulls_needs_a_port_to_pull_from() -> None:
    with pytest.raises(ValueError, match="both or neither"):
        Engine(name="e", role="prefill", ports=EnginePorts(http=1, grpc=2, metrics=3), pulled_by=("inference-decode",))
