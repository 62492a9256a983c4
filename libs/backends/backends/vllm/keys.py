"""Who holds the key ring of tickets: a process that fronts vLLM with prompts and answers apart, and no other."""

from __future__ import annotations

from collections.abc import Iterable

from meshkit import links
from meshkit.config import ServiceConfig
from meshkit.crypto.derive import TICKETS
from meshkit.crypto.ring import Ring
from meshkit.errors import FailedPrecondition
from meshkit.service import Service

from backends.accelerators import Row, VllmRow
from backends.settings import FrontedKeys
from backends.vllm.ticket import TicketKey


def ticket_ring(config: ServiceConfig, keys: FrontedKeys, service: Service, rows: Iterable[tuple[Row, str]]) -> Ring[TicketKey] | None:
    """Return the ring that the rows of this process need, None when they need none.

    Raises FailedPrecondition: TICKET_KEYS_MISSING outside of loopback, TICKET_KEYS_UNNEEDED for a key that nothing here would use.
    """
    is_needed = any(isinstance(row, VllmRow) and role != "generate" for row, role in rows)
    if not is_needed:
        if keys.tickets is not None:
            raise FailedPrecondition("FINMESH_KEYS__TICKETS is for a row of vLLM with prefill or decode", reason="TICKET_KEYS_UNNEEDED")
        return None
    if keys.tickets is None and links.is_exposed(config) and not config.allow_development_keys:
        raise FailedPrecondition("a row of vLLM needs FINMESH_KEYS__TICKETS", reason="TICKET_KEYS_MISSING")
    return service.ring(keys.tickets, TICKETS, TicketKey.make, keys.reload_s)
