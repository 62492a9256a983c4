"""engine.json: what provisioning writes is read, and nothing that is wrong is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine.stub.settings import Role, SettingsError, read
from provisioning.engines import EngineFile, KvEndpoint, Sizes

from .stubs import engine_json


def written(folder: Path, document: Any) -> Path:
    (folder / "engine.json").write_text(document if isinstance(document, str) else json.dumps(document, ensure_ascii=False))
    return folder


def test_what_provisioning_writes_is_read(tmp_path: Path) -> None:
    kv = KvEndpoint("/c", "/k", "/a", "inference-prefill", socket="/kv.sock", listen="127.0.0.1:1", address="127.0.0.1:1", peers=("x",))
    for role in Role:
        content = EngineFile(role, "triton-1", "/模型", kv, "/tickets.json", "/triton.pid", Sizes(rows=3)).content()
        (tmp_path / "engine.json").write_bytes(content)
        found = read(tmp_path)
        assert (found.role, found.model, found.kv.peers) == (role, Path("/模型"), frozenset({"x"}))
        assert found.kv.socket == Path("/kv.sock")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rows": 0}, "rows"),
        ({"rows": True}, "rows"),
        ({"rows": "4"}, "rows"),
        ({"role": "both"}, "role"),
        ({"version": 2}, "version"),
        ({"highest_grade": 6}, "highest_grade"),
        ({"worker_id": ""}, "worker_id"),
        ({"unknown": 1}, "unknown"),
        ({"kv": []}, "kv"),
        ({"kv": {"socket": ""}}, "kv"),
        ({"rated_power_w": -1}, "rated_power_w"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        read(written(tmp_path, {**engine_json(tmp_path, tmp_path, "prefill"), **change}))


def test_keys_and_values_are_not_served_in_clear_text(tmp_path: Path) -> None:
    document = engine_json(tmp_path, tmp_path, "prefill")
    document["kv"]["listen"] = "0.0.0.0:18013"
    with pytest.raises(SettingsError, match=r"kv\.listen"):
        read(written(tmp_path, document))
    document["kv"].update(certificate="/c", key="/k")
    with pytest.raises(SettingsError, match="all three"):
        read(written(tmp_path, document))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1, "version": 1}', "nan"])
def test_what_is_no_document(tmp_path: Path, content: str) -> None:
    with pytest.raises(SettingsError):
        read(written(tmp_path, content))


def test_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"engine\.json"):
        read(tmp_path)
