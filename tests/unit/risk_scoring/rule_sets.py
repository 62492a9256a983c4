"""The shipped rule set with changes, and records of decisions on paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from risk_scoring.domain.features import COUNT, SCHEMA_VERSION
from risk_scoring.domain.history import PastDecision

RULES = Path(__file__).resolve().parents[3] / "services/risk-scoring/rules"


def changed(version: str, table: str = "request", **cells: str) -> bytes:
    """The shipped rule set under another version with one rule more; ``cells`` by field name, for instance ``amount="> 100"``."""
    model = json.loads((RULES / "anti-fraud.json").read_text())
    content = next(node["content"] for node in model["nodes"] if node["id"] == table)
    ids = {each["field"]: each["id"] for each in (*content["inputs"], *content["outputs"])}
    given = {"rule": '"request.on_trial"', "reason": '"R_AMOUNT_HIGH"', "weight": "10", "action": '"alert"', "amount": "> 0"} | cells
    row = {"_id": "on_trial", **dict.fromkeys(ids.values(), "")} | {ids[field]: text for field, text in given.items()}
    content["rules"].append(row)
    model["version"] = version
    return json.dumps(model, ensure_ascii=False).encode()


def past(number: int, **changes: Any) -> PastDecision:
    """Decision ``number``: approved, 100.00, everything known."""
    fields: dict[str, Any] = {
        "decision_id": number.to_bytes(16, "big"), "tenant": "bank-a", "decided_time_s": 1_000.0 + number, "channel": 1, "currency": "CNY",
        "country": "CN", "mcc": "5411", "hour": 12, "has_device": True, "blocked": False, "trusted": False,
        "reference_amount_minor": 10_000, "score": 0.001, "thresholds": (0.3, 0.6, 0.9),
        "features": bytes(COUNT * 4), "feature_schema": SCHEMA_VERSION, "rule_set": "",
        "recommended": 1, "has_rule_inputs": True,
    }  # fmt: skip
    return PastDecision(**(fields | changes))
