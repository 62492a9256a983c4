"""One JSON object a line, with the trace, without identifiers."""

import json
import logging

import pytest
from meshkit.telemetry.context import attached, new_root
from meshkit.telemetry.logs import JsonFormatter
from meshkit.testing.capture import captured_logs

logger = logging.getLogger("test.logs")


def test_a_line_has_its_facts_and_its_trace() -> None:
    trace = new_root(sampled=True)
    with captured_logs("audit") as logs, attached(trace):
        logger.info("done %d", 3, extra={"facts": {"count": 3, "ok": True, "who": "审计"}})
    line = logs.lines[0]
    assert (line["service"], line["message"], line["count"], line["ok"], line["who"]) == ("audit", "done 3", 3, True, "审计")
    assert line["trace_id"] == f"{trace.trace_id:032x}"


def test_message_facts_and_exceptions_are_redacted() -> None:
    with captured_logs() as logs:
        try:
            raise ValueError("mobile 13812345678")
        except ValueError:
            logger.exception("card %s", "4111111111111111", extra={"facts": {"id": "11010519491231002X"}})
    line = logs.lines[0]
    assert (line["message"], line["id"]) == ("card [card]", "[resident-id]")
    assert "[mobile]" in line["exception"]
    assert "13812345678" not in logs.text


def test_line_breaks_cannot_forge_a_line() -> None:
    with captured_logs() as logs:
        logger.info('a\n{"level":"error"}\r\n')
    assert len(logs.lines) == 1


def test_numbers_and_keys_are_redacted_however_deep() -> None:
    card = 6222021234567890128
    with captured_logs() as logs:
        logger.info(
            "card %d of %s",
            card,
            {"id": card},
            extra={"facts": {f"k{card}": 1, "n": card, "m": {card: [card, "手机13812345678"]}, "port": 1}},
        )
    line = logs.lines[0]
    assert line["message"] == "card [card] of {'id': [card]}"
    assert (line["k[card]"], line["n"], line["m"], line["port"]) == (1, "[card]", {"[card]": ["[card]", "手机[mobile]"]}, 1)


def test_arguments_that_do_not_fit_are_not_printed_as_they_are() -> None:
    record = logging.LogRecord("n", logging.INFO, "", 0, "done %d", ("4111111111111111",), None)
    assert json.loads(JsonFormatter("t").format(record))["message"] == "done %d (its arguments do not fit: TypeError)"


@pytest.mark.parametrize(
    ("created_s", "text"),
    [
        (1_764_000_000.0, "2025-11-24T16:00:00.000+00:00"),
        (1_764_000_000.0019, "2025-11-24T16:00:00.001+00:00"),
        (1_764_000_000.9999, "2025-11-24T16:00:00.999+00:00"),
        (1_764_000_001.5, "2025-11-24T16:00:01.500+00:00"),
    ],
)
def test_time_in_milliseconds(created_s: float, text: str) -> None:
    record = logging.LogRecord("n", logging.INFO, "", 0, "done", (), None)
    record.created = created_s
    assert json.loads(JsonFormatter("t").format(record))["time"] == text
