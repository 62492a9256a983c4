"""cli/finmesh_cli/reasons.json from risk-scoring's list of reason codes."""

from __future__ import annotations

import json

from risk_scoring.domain.reasons import REASONS


def page() -> str:
    """Return the texts by code and language as JSON."""
    texts = {code: {"en": text.en, "zh": text.zh} for code, text in REASONS.items()}
    return json.dumps(texts, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
