"""Changes of engines' states: `finmesh.inference.v1.BackendStateChanged`."""

from __future__ import annotations

from finmesh.inference.v1.backend_state_changed_pb2 import BackendStateChanged
from google.protobuf.message import DecodeError
from meshkit.errors import InvalidArgument

from router.domain.pool_history import StateChange

TOPIC = BackendStateChanged.DESCRIPTOR.full_name


def state_change(value: bytes | None) -> StateChange:
    """Return what a record says. Raises InvalidArgument (MALFORMED_MESSAGE, FIELD_INVALID)."""
    try:
        event = BackendStateChanged.FromString(value or b"")
    except DecodeError:
        raise InvalidArgument("the bytes are no BackendStateChanged", reason="MALFORMED_MESSAGE") from None
    missing = [name for name in ("worker_id", "service", "instance", "number", "after") if not getattr(event, name)]
    if missing or not event.HasField("changed_at"):
        raise InvalidArgument(f"{', '.join([*missing, 'changed_at'][:3])}: missing", reason="FIELD_INVALID")
    return StateChange(event.worker_id, (event.service, event.instance), event.number, event.SerializeToString())
