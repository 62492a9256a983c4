"""Values of more than one part in a column, or under a seal: JSON that the ledger itself wrote."""

from __future__ import annotations

import json
from typing import Any


def packed_column(value: Any) -> str:
    """Return a value as JSON, in the one form that equal values share."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def column(text: str | bytes) -> Any:
    """Return the value; the other way of `packed_column`."""
    return json.loads(text if isinstance(text, str) else text.decode())  # bytes are looked at for their encoding first
