"""The model repository of one engine of language models: the shim that its Triton loads, and `engine.json`, which tells the shim who it is.

Assembled anew before each start, on one machine by the launcher and in a pod by `python -m provisioning engine`: Triton hands a model
nothing but the folder it lies in, so that is where everything else stands. The format is this module's; `engine.stub` reads it.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from provisioning.services import Engine

FILE = "engine.json"
VERSION = 1
MIB = 1 << 20


class NoModelError(Exception):
    """There is no language model to serve; the message says where one was looked for."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much the engines hold. Memory of rows is taken as it is first used, the arena at start.

    `rows`: sequences at once in a decode engine, `prefill_rows` in a prefill engine. `arena_bytes`: key-value blocks on their way from a
    prefill engine to others.
    """

    rows: int = 16
    prefill_rows: int = 4
    max_len_tokens: int = 2_048
    threads: int = 2
    arena_bytes: int = 256 * MIB
    prefix_store_bytes: int = 256 * MIB

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Sizes":
        """Defaults overridden by FINMESH_LLM_ROWS and so on; ValueError when one is no positive number."""
        given = {f.name: int(environment.get(f"FINMESH_LLM_{f.name.upper()}") or f.default) for f in fields(cls)}  # type: ignore[arg-type]
        for name, value in given.items():
            if value < 1:
                raise ValueError(f"FINMESH_LLM_{name.upper()}: {value} is not positive")
        return cls(**given)


@dataclass(frozen=True, slots=True)
class KvEndpoint:
    """Where other engines pull key-value blocks, and the certificate that this one shows there or when it pulls itself.

    `listen`, `socket` and `address` (what tickets name) are empty where nobody pulls. `peers`: identities that may pull.
    """

    certificate: str
    key: str
    authority: str
    server_name: str
    socket: str = ""
    listen: str = ""
    address: str = ""
    peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineFile:
    """What `engine.json` holds. `highest_grade`: of data that may be here, 1 to 5. `price_per_hour_minor`: of its time, in minor units."""

    role: str
    worker_id: str
    model: str
    kv: KvEndpoint
    ticket_keys: str
    pid_file: str
    sizes: Sizes = Sizes()
    highest_grade: int = 3
    price_per_hour_minor: int = 0
    zone: str = "local"
    vendor: str = "onnxruntime"
    device: str = "cpu"

    def content(self) -> bytes:
        """The file's bytes: the sizes of its role stand among the other fields."""
        document = {"version": VERSION, **asdict(self)}
        sizes = document.pop("sizes")
        prefill_rows = sizes.pop("prefill_rows")
        if self.role == "prefill":
            sizes["rows"] = prefill_rows
        else:
            sizes["arena_bytes"] = 0
        return json.dumps({**document, **sizes}, indent=1, ensure_ascii=False).encode() + b"\n"


def assemble(repository: Path, shims: Path, engine: Engine, content: EngineFile) -> None:
    """Makes `repository` hold the shim of the engine's role and its `engine.json`, and nothing else. NoModelError, OSError."""
    if not (Path(content.model) / "manifest.json").is_file():
        raise NoModelError(f"no language model in {content.model}: make setup converts the usual one, FINMESH_LLM_MODEL names another")
    shutil.rmtree(repository, ignore_errors=True)
    shutil.copytree(shims / engine.model, repository / engine.model, ignore=shutil.ignore_patterns("__pycache__"))
    (repository / engine.model / FILE).write_bytes(content.content())
