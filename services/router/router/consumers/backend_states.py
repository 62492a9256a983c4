"""The topic of engines' states: translate, call. What can't be read is counted and passed over, since nobody waits for it."""

from __future__ import annotations

import logging

from meshkit.errors import InvalidArgument
from meshkit.events.message import Record
from meshkit.telemetry import metrics

from router.translate.state_changes import state_change
from router.usecases.on_backend_state_changed import OnBackendStateChanged

_logger = logging.getLogger(__name__)


class BackendStates:
    """See the module."""

    def __init__(self, changed: OnBackendStateChanged) -> None:
        self._changed = changed
        self._poison = metrics.meter().create_counter(
            "finmesh.router.unreadable_state_changes", description="records of engines' states that could not be read"
        )

    def __call__(self, record: Record) -> None:
        """Take one record."""
        try:
            change = state_change(record.value)
        except InvalidArgument as error:
            self._poison.add(1)
            facts = {"partition": record.partition, "offset": record.offset, "reason": error.reason}
            _logger.warning("a change of state can't be read", extra={"facts": facts})
            return
        self._changed(change)
