"""A second Triton, which is no engine of ours: another loop, other threads, a model of other precision, by the open protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.llm import manifest
from llm import tiny
from localmesh.places import Places
from localmesh.ports import LOOPBACK, free_ports
from localmesh.rows import Row
from localmesh.tritonserver import tritonserver

MODELS = Path(__file__).parent / "ports" / "backends" / "greedy"
NAME = "greedy-tiny"
MAX_LEN = 512


class ForeignTriton:
    """``row``: of the process table; ``fields``: its row of accelerators.yaml."""

    def __init__(self, places: Places, name: str = "triton-foreign") -> None:
        self.model = tiny.make(places.var / "models", tiny.Tiny(weights="int4", max_len=MAX_LEN, name=NAME))
        self.manifest = manifest.read(self.model)
        ports = dict(zip(("http", "grpc", "metrics"), free_ports(3), strict=True))
        self.url = f"{LOOPBACK}:{ports['grpc']}"
        self.row: Row = tritonserver(places, name, ports, MODELS, links={"greedy-model": self.model})

    @property
    def fields(self) -> dict[str, Any]:
        return {
            "name": "foreign-0",
            "kind": "oip",
            "url": self.url,
            "roles": ["generate"],
            "vendor": "acme",
            "device": "cpu",
            "model": NAME,
            "model_digest": self.manifest.digest,
            "rows": 4,
            "max_len_tokens": MAX_LEN,
            "zone": "local",
            "highest_grade": "L5",
            "options": {
                "served_model": "greedy_llm",
                "input_ids": "TOKENS",
                "max_tokens": "MAX_NEW",
                "ignore_end": "IGNORE_EOS",
                "output_ids": "NEXT",
                "finish": "REASON",
            },
        }

    def write(self, path: Path) -> Path:
        """Write accelerators.yaml with this row."""
        path.write_text(json.dumps({"version": "1", "accelerators": [self.fields]}), encoding="utf-8")
        return path
