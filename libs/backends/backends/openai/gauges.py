"""Gauges out of a server's /metrics, in Prometheus' text format. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from backends.writing import Gauges

_LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{[^\n]*\})?[ \t]+([^ \t\n]+)(?:[ \t]+-?[0-9]+)?")


def gauges(content: bytes, names: Mapping[str, str]) -> Gauges:
    """Return what is told under ``names``; several series of one name add up, shares count as the highest. Nothing for what is wrong."""
    by_name = {name: what for what, name in names.items()}
    found: dict[str, list[float]] = {}
    for line in content.decode("utf-8", "replace").split("\n"):
        if (matched := _LINE.fullmatch(line.rstrip("\r"))) is None or (what := by_name.get(matched[1])) is None:
            continue
        try:
            value = float(matched[2])
        except ValueError:
            continue
        if math.isfinite(value) and 0 <= value < 1 << 31:
            found.setdefault(what, []).append(value)
    usage = found.get("kv_usage")
    return Gauges(
        queued=round(sum(found["queued"])) if "queued" in found else None,
        running=round(sum(found["running"])) if "running" in found else None,
        kv_usage=min(1.0, max(usage)) if usage else None,
    )
