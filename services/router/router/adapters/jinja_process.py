"""The process that renders chat templates: started when it is needed, started anew when it died, ended with this one.

It is given no environment and sees the end of its standard input when we die, however that happens. One rendering at a time; a rendering
that nobody waits for any more takes the process with it, so that no answer is read as another's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from meshkit.errors import InvalidArgument, Unavailable
from meshkit.strict_json import parse_json

MEMORY_BYTES = 512 << 20
_PROGRAM = Path(__file__).with_name("jinja_worker.py")
_ANSWER_BYTES_A_CHARACTER = 12  # as JSON escapes what is outside of the basic plane
_logger = logging.getLogger(__name__)


class JinjaProcess:
    """Renders. ``processor_s``: bound of one rendering, in time of the processor; ``wall_s``: in time, for a machine that is busy."""

    def __init__(self, max_characters: int, processor_s: float = 1.0, wall_s: float = 15.0) -> None:
        self._max_characters = max_characters
        self._processor_s = processor_s
        self._wall_s = wall_s
        self._process: Process | None = None
        self._known: set[str] = set()
        self._turn = asyncio.Lock()

    async def aclose(self) -> None:
        """End the process."""
        await self._end()

    async def render(self, key: str, template: str, variables: Mapping[str, Any]) -> str:
        """Return what a template makes of variables. ``key`` names the template.

        Raises InvalidArgument (TEMPLATE_REFUSED) with the template's own words, Unavailable (TEMPLATE_FAILED) when it has an error or was
        ended for what it took.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(self._wall_s):
                    answer = await self._ask(key, template, variables)
            except (asyncio.IncompleteReadError, OSError, ValueError) as error:  # a timeout is an OSError
                await self._end()
                _logger.error("a chat template was ended", extra={"facts": {"template": key, "error.type": type(error).__name__}})
                raise Unavailable("the chat template took too much and was ended", reason="TEMPLATE_FAILED") from error
            except BaseException:
                await self._end()
                raise
        if "refused" in answer:
            raise InvalidArgument(f"the model's template says: {answer['refused']}", reason="TEMPLATE_REFUSED")
        if "text" not in answer:
            raise Unavailable(f"the chat template failed: {answer['failed']}", reason="TEMPLATE_FAILED")
        return answer["text"]

    async def _ask(self, key: str, template: str, variables: Mapping[str, Any]) -> dict[str, str]:
        process = await self._started()
        assert process.stdin is not None and process.stdout is not None
        asked = {"key": key, "variables": variables} | ({} if key in self._known else {"template": template})
        content = json.dumps(asked).encode()
        process.stdin.write(len(content).to_bytes(4, "big") + content)
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(4), "big")
        if length > self._max_characters * _ANSWER_BYTES_A_CHARACTER + 1_000:
            raise ValueError("an answer longer than any text")
        answer: dict[str, str] = parse_json(await process.stdout.readexactly(length))
        if "failed" not in answer:
            self._known.add(key)
        return answer

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._known.clear()
            bounds = (str(self._processor_s), str(MEMORY_BYTES), str(self._max_characters))
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", str(_PROGRAM), *bounds, stdin=PIPE, stdout=PIPE, env={}, start_new_session=True
            )
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
