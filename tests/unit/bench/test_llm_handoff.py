"""The bench of one hand-off measures what it says: two processes, small."""

from engine.handoff.layout import Layout

from bench.llm.handoff import measure


def test_parts_and_whole() -> None:
    layout = Layout("float16", layers=2, kv_heads=1, head_dim=16, block_tokens=64, digest=b"b" * 16)
    figures = measure(layout, tokens=200, rounds=3)
    assert (figures.tokens, figures.size_bytes) == (200, 200 * layout.token_bytes)
    parts = (
        figures.memcpy_ms,
        figures.ahead_ms,
        figures.pack_ms,
        figures.publish_ms,
        figures.ticket_ms,
        figures.pull_ms,
        figures.verify_ms,
    )
    assert all(part > 0 for part in parts)
    assert figures.verify_ms < figures.pull_ms
    assert figures.total_ms > 0
    assert figures.bound_ms == 3 * figures.memcpy_ms + 5
