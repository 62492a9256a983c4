"""What the engine refuses, and what ends a generation early: a stable reason, UPPER_SNAKE, and a sentence for people.

Surprising: not `meshkit.errors`, which the engine may not import; the stub hands both on and the service raises its own class.
"""

from __future__ import annotations

OVERLOADED = "OVERLOADED"
PROMPT_EMPTY = "PROMPT_EMPTY"
PROMPT_TOO_LONG = "PROMPT_TOO_LONG"
TOKENS_INVALID = "TOKENS_INVALID"
NAMESPACE_INVALID = "NAMESPACE_INVALID"
CHOICES_TOO_MANY = "CHOICES_TOO_MANY"
SAMPLING_INVALID = "SAMPLING_INVALID"
SCHEMA_INVALID = "SCHEMA_INVALID"
GRAMMAR_UNSATISFIABLE = "GRAMMAR_UNSATISFIABLE"
REQUEST_DUPLICATE = "REQUEST_DUPLICATE"
RESERVATION_UNKNOWN = "RESERVATION_UNKNOWN"
LAYOUT_MISMATCH = "LAYOUT_MISMATCH"

CANCELLED = "CANCELLED"
OWNER_SILENT = "OWNER_SILENT"
QUEUE_EXPIRED = "QUEUE_EXPIRED"
LOGITS_NOT_FINITE = "LOGITS_NOT_FINITE"
GRAMMAR_FAILED = "GRAMMAR_FAILED"
STEP_FAILED = "STEP_FAILED"


class Refused(Exception):
    """Asked for what the engine doesn't do, or not now; nothing was kept of it.

    ``retry_after_s`` is None when asking again can't help.
    """

    def __init__(self, reason: str, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason, self.message, self.retry_after_s = reason, message, retry_after_s
