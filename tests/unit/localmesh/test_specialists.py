"""A model that the repository ships is served beside the general one, by engines of its own, where it is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table, without_language_models
from provisioning import services
from provisioning.engines import Sizes, specialist


def places(root: Path, *shipped: str) -> Places:
    for name in shipped:
        (root / "models" / "specialists" / name).mkdir(parents=True)
        (root / "models" / "specialists" / name / "manifest.json").write_text("{}")
    return replace(Places(root / "var"), specialists=root / "models" / "specialists")


def test_each_shipped_specialist_has_engines_and_everybody_who_needs_it_is_told(tmp_path: Path) -> None:
    here = places(tmp_path, "otc-inquiry")
    rows = {row.name: row for row in table(here, Ports())}
    folder = tmp_path / "models" / "specialists" / "otc-inquiry"
    for process in services.load().processes:
        for engine in process.specialists:
            assert engine.name in rows and engine.name in rows[process.name].needs
            own, beside = json.loads(rows[process.name].env["FINMESH_ENGINES"])
            assert beside["url"] == f"127.0.0.1:{engine.ports.grpc}" != own["url"]
            assert beside["pid_file"] != own["pid_file"]
    for name in ("router", "inference-prefill", "inference-decode"):
        assert json.loads(rows[name].env["FINMESH_MODELS"]) == [str(here.llm_model), str(folder)]
    left = {row.name for row in without_language_models(list(rows.values()))}
    assert not left & {engine.name for engine in services.load().specialists}


def test_one_that_is_not_there_is_not_served_nor_beside_another_general_model(tmp_path: Path) -> None:
    for here in (places(tmp_path / "a"), replace(places(tmp_path / "b", "otc-inquiry"), llm_model=tmp_path / "tiny")):
        rows = {row.name: row for row in table(here, Ports())}
        assert not rows.keys() & {engine.name for engine in services.load().specialists}
        assert json.loads(rows["router"].env["FINMESH_MODELS"]) == [str(here.llm_model)]
        assert len(json.loads(rows["inference-decode"].env["FINMESH_ENGINES"])) == 1


def test_a_specialist_s_engine_is_a_small_one() -> None:
    usual = Sizes()
    small = specialist(usual)
    assert small.arena_bytes < usual.arena_bytes and small.prefix_store_bytes < usual.prefix_store_bytes
    assert small.threads == 1 and small.max_len_tokens <= 1_024
