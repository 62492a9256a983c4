"""The two engines that are measured without a mesh, each in a process of its own that answers a line with a line."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localmesh.places import ROOT

_HERE = Path(__file__).parent
GENAI_PYTHON = ROOT / ".venv-genai" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Run:
    """One list of prompts. `at_s`: when each token of an answer came, seconds from its request; `cpu_s`: processor time of the process."""

    at_s: list[list[float]]
    tokens: list[list[int]]
    took_s: float
    cpu_s: float

    @property
    def output_tokens(self) -> int:
        return sum(map(len, self.tokens))


class Driver:
    """A process that answers lists of prompts."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, prompts: Sequence[Sequence[int]], new_tokens: int, callers: int) -> Run:
        """Answer all prompts, `callers` at a time. Raises LookupError when the process dies."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"prompts": list(map(list, prompts)), "new_tokens": new_tokens, "callers": callers}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise LookupError("the process that was to be measured died; its last words are above")
        return Run(**json.loads(line))


@contextmanager
def ours(folder: Path, rows: int, threads: int) -> Iterator[Driver]:
    """`engine.llm.Engine` with so many rows."""
    with _driven([sys.executable, "-m", "bench.llm.loop", str(folder), str(rows), str(threads)]) as driver:
        yield driver


@contextmanager
def genai(folder: Path) -> Iterator[Driver]:
    """onnxruntime-genai on a folder that `genai_form` wrote."""
    with _driven([str(GENAI_PYTHON), str(_HERE / "genai_driver.py"), str(folder)]) as driver:
        yield driver


@contextmanager
def _driven(command: list[str]) -> Iterator[Driver]:
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Driver(process)
        finally:
            process.kill()
