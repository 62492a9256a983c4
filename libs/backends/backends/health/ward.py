"""All engines of one process with their health watched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from finmesh.inference.v1.worker_pb2 import WorkerDescription

from backends.health import known_answers
from backends.health.attendant import Attendant
from backends.health.known_answers import KnownAnswers
from backends.health.pace import Pace
from backends.health.states import Change
from backends.health.watched import Told, Watched
from backends.port import Backend
from backends.settings import HealthSettings

_logger = logging.getLogger("finmesh.backends")


def untold(description: WorkerDescription, change: Change) -> None:
    """Tell nobody of a change."""


class Ward:
    """``models``: folders with known answers. ``told``: is handed each change. Raises FailedPrecondition for a file that is wrong."""

    def __init__(self, backends: Sequence[Backend], models: Iterable[Path], settings: HealthSettings, told: Told = untold) -> None:
        self.backends = tuple(Watched(each, told=told, bounds=settings.bounds()) for each in backends)
        known = _known(models)
        self._attendants = [Attendant(each, known, settings.probe_s, lambda each=each: self._peers(each)) for each in self.backends]  # type: ignore[misc]

    async def run(self) -> None:
        """Attend to all of them until cancelled."""
        async with asyncio.TaskGroup() as group:
            for attendant in self._attendants:
                group.create_task(attendant.run())

    def _peers(self, one: Watched) -> list[Pace]:
        """Paces of the others that do the same for the same model."""
        return [each.pace for each in self.backends if each is not one and each.health.takes and _kin(each) == _kin(one)]


def _kin(watched: Watched) -> tuple[bytes, int]:
    description = watched.description
    return (b"", 0) if description is None else (description.model_digest, description.role)


def _known(models: Iterable[Path]) -> dict[bytes, KnownAnswers]:
    found = {}
    for folder in models:
        if (known := known_answers.read(folder)) is None:
            _logger.warning("a model has no known answers: wrong ones will not be found", extra={"facts": {"folder": folder.name}})
        else:
            found[known.model_digest] = known
    return found
