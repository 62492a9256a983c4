"""CloudEvents headers (binary mode of the Kafka binding 1.0.2) with trace context, as the bank's own systems set them."""

from datetime import UTC, datetime

from simbank.tokens import mix64

Headers = list[tuple[str, bytes]]


def trace_id_of(run: int, number: int) -> bytes:
    """A trace id per message: scattered, so that ratio samplers that look at some of its bits stay fair."""
    high = mix64(run ^ mix64(number))
    return high.to_bytes(8, "big") + (mix64(high) | 1).to_bytes(8, "big")


def is_sampled(trace_id: bytes, share: float) -> bool:
    """Whether a trace belongs to the recorded `share` (0 to 1): the same answer wherever it is asked."""
    return int.from_bytes(trace_id[4:8], "big") < share * 2**32


def cloud_event(type_name: str, event_id: str, time_us: int, trace_id: bytes, *, sampled: bool) -> Headers:
    """Headers of one event; `time_us` is the intended send time, from which latency counts."""
    moment = datetime.fromtimestamp(time_us / 1e6, UTC)
    parent = f"00-{trace_id.hex()}-{trace_id[:8].hex()}-{'01' if sampled else '00'}"
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", type_name.encode()),
        ("ce_source", b"/simbank/core-banking"),
        ("ce_time", f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}".encode()),
        ("content-type", b"application/protobuf"),
        ("traceparent", parent.encode()),
    ]
