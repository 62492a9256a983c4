"""The model repository of one engine of language models: the shim that its Triton loads, and `engine.json`, which tells the shim who it is.

Assembled anew before each start, on one machine by the launcher and in a pod by `python -m provisioning engine`: Triton hands a model
nothing but the folder it lies in, so that is where everything else stands. The format is this module's; `engine.stub` reads it.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import cast

from meshkit.crypto.derive import TICKETS, development
from meshkit.crypto.ring import read_ring

from provisioning.services import Role, model_of

SHIMS = Path(__file__).resolve().parents[3] / "models" / "llm"
FILE = "engine.json"
VERSION = 1
MIB = 1 << 20


class NoModelError(Exception):
    """There is no language model to serve; the message says where one was looked for."""


class KnownKeyError(Exception):
    """Tickets would be signed with a key that everybody knows, where others than this machine can reach the engine."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much the engines hold; they take it at their start, so that nothing is missing later.

    `rows`: sequences at once in a decode engine, `prefill_rows` in a prefill engine. `arena_bytes`: key-value blocks on their way from a
    prefill engine to others. `chunk_tokens`: of a prompt in one step; 0 lets the engine find out at warm-up.
    """

    rows: int = 8
    prefill_rows: int = 4
    max_len_tokens: int = 2_048
    chunk_tokens: int = 0
    threads: int = 2
    arena_bytes: int = 256 * MIB
    prefix_store_bytes: int = 256 * MIB

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Sizes":
        """Defaults overridden by FINMESH_LLM_ROWS and so on; ValueError when one is no number, or too small."""
        given = {f.name: int(environment.get(f"FINMESH_LLM_{f.name.upper()}") or cast(int, f.default)) for f in fields(cls)}
        for f in fields(cls):
            if given[f.name] < min(1, cast(int, f.default)):
                raise ValueError(f"FINMESH_LLM_{f.name.upper()}: {given[f.name]} is too small")
        return cls(**given)


def specialist(sizes: Sizes) -> Sizes:
    """Sizes of an engine for a small model and short texts, beside one of these sizes."""
    small = 16 * MIB
    return replace(
        sizes,
        rows=16,
        prefill_rows=8,
        max_len_tokens=min(sizes.max_len_tokens, 1_024),
        threads=1,
        arena_bytes=2 * small,
        prefix_store_bytes=small,
    )


@dataclass(frozen=True, slots=True)
class KvEndpoint:
    """Where other engines pull key-value blocks, and the certificate that this one shows there or when it pulls itself.

    `server_name`: the identity that it pulls from, empty when it pulls from nobody. `listen`, `socket` and `address` (what tickets name)
    are empty where nobody pulls. `peers`: identities that may pull.
    """

    certificate: str
    key: str
    authority: str
    server_name: str = ""
    socket: str = ""
    listen: str = ""
    address: str = ""
    peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineFile:
    """What `engine.json` holds; paths are absolute, or begin at Triton's working folder.

    `highest_grade`: of data that may be here, 1 to 5. `price_per_hour_minor`: of its time, in minor units.
    """

    role: Role
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


def assemble(repository: Path, shims: Path, content: EngineFile, model: Path) -> None:
    """Makes `repository` hold the shim of the engine's role and its `engine.json`, and nothing else. NoModelError, OSError.

    `model`: where the language model lies for us, who may call it otherwise than the engine does. The folder itself may be there and stay,
    since a volume can't be taken away.
    """
    if not (model / "manifest.json").is_file():
        raise NoModelError(f"no language model in {model}: make setup converts the usual one, FINMESH_LLM_MODEL names another")
    shim = model_of(content.role)
    repository.mkdir(parents=True, exist_ok=True)
    for left in repository.iterdir():
        shutil.rmtree(left)
    shutil.copytree(shims / shim, repository / shim, ignore=shutil.ignore_patterns("__pycache__"))
    (repository / shim / FILE).write_bytes(content.content())


def refuse_known_keys(content: EngineFile) -> None:
    """Raises KnownKeyError when a key of its tickets is the development key; what an engine of loopback does is nobody else's business.

    Raises FailedPrecondition (KEY_RING_INVALID) for a file that is no ring. The engine itself knows neither key.
    """
    known = set(development(TICKETS).secrets.values())
    if not known.isdisjoint(read_ring(Path(content.ticket_keys), TICKETS).secrets.values()):
        raise KnownKeyError(f"{content.ticket_keys}: a development key, which everybody knows; FINMESH_ALLOW_DEVELOPMENT_KEYS accepts it")
