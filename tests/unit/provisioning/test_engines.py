"""The repository of an engine: the shim of its role beside the file that tells the shim who it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from meshkit.crypto.derive import DEVELOPMENT_ID, TICKETS, development
from meshkit.crypto.ring import RingKeys
from provisioning.__main__ import app
from provisioning.certificates import write_private
from provisioning.engines import FILE, EngineFile, KnownKeyError, KvEndpoint, NoModelError, Sizes, assemble, refuse_known_keys
from provisioning.services import Engine, EnginePorts
from typer.testing import CliRunner


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
    assemble(repository, shims, content, Path(content.model))
    assert written(repository) == {"llm_prefill/1/model.py", "llm_prefill/config.pbtxt", f"llm_prefill/{FILE}"}
    said = json.loads((repository / "llm_prefill" / FILE).read_bytes())
    assert said.keys() == {
        "version", "role", "worker_id", "model", "kv", "ticket_keys", "pid_file", "highest_grade", "price_per_hour_minor", "zone", "vendor",
        "device", "rows", "chunk_tokens", "max_len_tokens", "threads", "arena_bytes", "prefix_store_bytes",
    }  # fmt: skip
    assert said["kv"].keys() == {"certificate", "key", "authority", "server_name", "socket", "listen", "address", "peers"}
    assert (said["version"], said["role"], said["worker_id"], said["model"]) == (1, "prefill", "triton-prefill-2", content.model)


def test_what_was_there_before_is_gone(tmp_path: Path, shims: Path, content: EngineFile) -> None:
    """A shim of the release before, and the other role's."""
    repository = tmp_path / "repository"
    assemble(repository, shims, replace(content, role="decode"), Path(content.model))
    (repository / "llm_decode" / "2").mkdir()
    assemble(repository, shims, content, Path(content.model))
    assert {path.name for path in repository.iterdir()} == {"llm_prefill"}


def test_an_engine_has_the_sizes_of_its_role(content: EngineFile) -> None:
    sizes = Sizes(rows=9, prefill_rows=3, arena_bytes=1_000)
    prefill, decode = (json.loads(replace(content, role=role, sizes=sizes).content()) for role in ("prefill", "decode"))
    assert (prefill["rows"], prefill["arena_bytes"]) == (3, 1_000)
    assert (decode["rows"], decode["arena_bytes"]) == (9, 0), "nobody pulls from a decode engine"


def test_without_a_model_it_says_where_one_was_looked_for(tmp_path: Path, shims: Path, content: EngineFile) -> None:
    with pytest.raises(NoModelError, match="no language model in /nowhere: make setup"):
        assemble(tmp_path / "repository", shims, content, Path("/nowhere"))


def test_sizes_come_from_the_environment() -> None:
    assert Sizes.from_environment({"FINMESH_LLM_ROWS": "3", "FINMESH_LLM_THREADS": ""}) == Sizes(rows=3)
    with pytest.raises(ValueError, match="FINMESH_LLM_ROWS: 0 is too small"):
        Sizes.from_environment({"FINMESH_LLM_ROWS": "0"})


def test_who_pulls_needs_a_port_to_pull_from() -> None:
    with pytest.raises(ValueError, match="both or neither"):
        Engine(name="e", role="prefill", ports=EnginePorts(http=1, grpc=2, metrics=3), pulled_by=("inference-decode",))


@pytest.mark.parametrize(
    ("secret", "known"), [(development(TICKETS).secrets[DEVELOPMENT_ID], True), (b"s" * 32, False)], ids=["development", "own"]
)
def test_a_ticket_key_that_everybody_knows_is_refused(tmp_path: Path, content: EngineFile, secret: bytes, known: bool) -> None:
    """As the primary or as one that is still accepted: whoever has it can sign."""
    path = tmp_path / "tickets.json"
    write_private(path, RingKeys(TICKETS, "new", {"new": b"n" * 32, "old": secret}).content())
    told = replace(content, ticket_keys=str(path))
    if known:
        with pytest.raises(KnownKeyError, match="everybody knows"):
            refuse_known_keys(told)
    else:
        refuse_known_keys(told)


def test_the_command_says_in_one_line_what_it_lacks(tmp_path: Path, shims: Path, content: EngineFile) -> None:
    keys = tmp_path / "tickets.json"
    write_private(keys, development(TICKETS).content())
    options = {
        "role": "decode", "worker-id": "w-1", "model": content.model, "tls": "/tls", "pulls-from": "inference-prefill", "ticket-keys": keys,
        "pid-file": "/run/pid", "shims": shims, "repository": tmp_path / "models",
    }  # fmt: skip

    def said(environment: dict[str, str], **changes: object) -> tuple[int, str]:
        given = [f"--{name}={value}" for name, value in {**options, **changes}.items()]
        done = CliRunner().invoke(app, ["engine", *given], env=environment, catch_exceptions=False)
        return done.exit_code, " ".join(done.output.split())

    status, words = said({})
    assert (status, "development key" in words) == (1, True)
    status, words = said({"FINMESH_ALLOW_DEVELOPMENT_KEYS": "true"}, model="/nowhere")
    assert (status, "no language model in /nowhere" in words) == (1, True)
    assert said({"FINMESH_ALLOW_DEVELOPMENT_KEYS": "true", "FINMESH_LLM_ROWS": "5"})[0] == 0
    assert json.loads((tmp_path / "models" / "llm_decode" / FILE).read_bytes())["rows"] == 5
    status, words = said({"FINMESH_ALLOW_DEVELOPMENT_KEYS": "true", "FINMESH_LLM_ROWS": "-1"})
    assert (status, words) == (1, "FINMESH_LLM_ROWS: -1 is too small")
