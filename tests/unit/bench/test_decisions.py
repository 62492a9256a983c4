"""The bench of Redis' state counts what it holds: a decision that is kept by its place is small, whatever its record's length."""

from bench.decisions import Plan, measured


async def test_a_decision_after_ten_minutes(private_redis) -> None:
    figures = await measured(private_redis.url, Plan(count=3_000, customers=100), lambda words: None)
    assert figures.values["young_decision_bytes"] > 1_000
    assert figures.values["decision_bytes"] <= 300
    assert figures.values["day_gib"] < figures.values["day_before_gib"] / 3
    target = figures.targets["decision_bytes"]
    assert target.met(figures.values["decision_bytes"]) and not target.met(figures.values["young_decision_bytes"])
