"""One run of the main job that several modules look at."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from drills.checks.traces import Span, Zipkin
from localmesh.ports import LOOPBACK

from tests.e2e.llm_mesh import LlmMesh
from tests.e2e.main_job import MainJob

LIMIT = 5_000


@dataclass(frozen=True)
class Day:
    """What a run said, and the traces that had arrived when it was over."""

    summary: dict[str, Any]
    said: str
    exit_status: int
    left: list[str]
    traces: list[list[Span]]


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """100 transactions a second for 10 seconds; the mesh stays until Zipkin was asked."""
    folder = tmp_path_factory.mktemp("day") / "我的 文件"
    folder.mkdir()
    with MainJob(folder, "--rate", "100", "--seconds", "10", "--keep") as job:
        job.until(lambda: "the mesh stays up" in job.said, 180.0)
        traces = asyncio.run(Zipkin(f"http://{LOOPBACK}:{job.ports.zipkin}").traces("risk-scoring", LIMIT))
        job.interrupt()
        status = job.end()
        return Day(job.summary(), job.said, status, job.left(), traces)


@pytest.fixture(scope="package")
def llm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlmMesh]:
    """A mesh of LLM serving for all modules that ask it."""
    with LlmMesh(tmp_path_factory.mktemp("llm") / "我的 文件").running() as mesh:
        yield mesh
