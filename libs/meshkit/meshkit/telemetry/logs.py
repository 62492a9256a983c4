"""Log lines as JSON on stderr, one object a line, with trace ids; every text goes through the redactor.

Facts come as ``logger.info("text", extra={"facts": {...}})``. An exception gives its type and where it was raised; its own text is
redacted.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, TextIO

from pii import mask

from meshkit.clock import utc_text
from meshkit.telemetry.context import current
from meshkit.telemetry.redactor import redact, redacted

_encode = json.JSONEncoder(ensure_ascii=False).encode


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        second, rest = divmod(record.created, 1)
        line: dict[str, Any] = {
            "time": f"{utc_text(int(second))}.{int(rest * 1e3):03d}+00:00",
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": redact(_message(record)),
        }
        trace = current()
        if trace is not None:
            line["trace_id"] = f"{trace.trace_id:032x}"
            line["span_id"] = f"{trace.span_id:016x}"
        for key, value in getattr(record, "facts", {}).items():
            line[redact(str(key))] = redacted(value)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = redact("".join(traceback.format_exception(record.exc_info[1])))
        return _encode(line)


def _message(record: logging.LogRecord) -> str:
    """The message. Arguments that do not fit it must not make `logging` print them as they are."""
    try:
        return record.getMessage()
    except Exception as error:  # an argument's own __str__ may raise anything
        return f"{record.msg} (its arguments do not fit: {type(error).__name__})"


def mask_crashes() -> None:
    """Mask what Python itself prints of exceptions that nobody caught, in any thread."""

    def in_a_thread(crash: threading.ExceptHookArgs) -> None:
        if crash.exc_type is not SystemExit and crash.exc_value is not None:
            print_masked(crash.exc_type, crash.exc_value, crash.exc_traceback)

    def print_masked(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(mask("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook, threading.excepthook = print_masked, in_a_thread


def configure(service: str, *, level: str = "INFO", stream: TextIO | None = None) -> logging.Handler:
    """Send all logging of the process through the JSON formatter; returns the handler."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    top = logging.getLogger()
    for old in list(top.handlers):
        if isinstance(old.formatter, JsonFormatter):
            top.removeHandler(old)
    top.addHandler(handler)
    top.setLevel(level)
    # Where in the code a line was logged, by which thread and process: no line says it, and looking costs as much as the rest.
    logging._srcfile = None  # the documented way to say so
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for noisy in ("aiokafka", "urllib3", "grpc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return handler
