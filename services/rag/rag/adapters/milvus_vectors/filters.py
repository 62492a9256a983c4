"""Filters of Milvus, made of integers and nothing else: on Milvus Lite's open port `… or 1 == 1` is a valid filter too."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rag.domain.ranking import Filter

SCALARS = ("version_id", "access_id", "from_seq", "to_seq", "valid_from_us", "valid_to_us")


def expression(where: Filter) -> str:
    """Return a filter as Milvus writes it."""
    known, valid = int(where.as_of.known_at_seq), int(where.as_of.valid_at_us)
    terms = [
        among("access_id", where.access_ids),
        f"from_seq <= {known} and to_seq > {known}",
        f"valid_from_us <= {valid} and valid_to_us > {valid}",
    ]
    if where.versions is not None:
        terms.append(among("version_id", where.versions))
    return " and ".join(terms)


def among(scalar: str, ids: Collection[int]) -> str:
    """Return the filter for rows whose scalar is one of these. Raises ValueError for what is no integer."""
    return f"{scalar} in [{','.join(str(int(each)) for each in sorted(ids))}]"


def holds(where: Filter, row: Mapping[str, Any]) -> bool:
    """Whether a row is what the filter asked for."""
    return (
        row["access_id"] in where.access_ids
        and row["from_seq"] <= where.as_of.known_at_seq < row["to_seq"]
        and row["valid_from_us"] <= where.as_of.valid_at_us < row["valid_to_us"]
        and (where.versions is None or row["version_id"] in where.versions)
    )
