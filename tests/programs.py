"""A program that is run to its end, and ended where it takes too long."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended."""

    status: int
    out: str
    err: str


async def done(*command: str, own: Mapping[str, str], folder: Path | None = None, within_s: float = 60.0) -> Done:
    """Run a program in a folder, with variables of its own beside this process's. Raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**os.environ, **own}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Done(process.returncode or 0, out.decode(), err.decode())
