"""Who answers in which scenario: one immutable, versioned table; `scenarios.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from meshkit.errors import InvalidDocument, NotFound

SCENARIOS_INVALID = "SCENARIOS_INVALID"
DEFAULT_SCENARIO, EXTRACTIVE = "knowledge", "extractive"
_WHOLE = {"passages": (1, 50), "highest_prompt_grade": (1, 3), "max_output_tokens": (1, 1 << 16)}
_TEXTS = ("answerer", "router_scenario")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. ``answerer``: "extractive", or a model that the router serves in ``router_scenario``."""

    name: str
    answerer: str
    router_scenario: str
    passages: int
    highest_prompt_grade: int
    max_output_tokens: int

    @property
    def is_extractive(self) -> bool:
        """Whether sentences are quoted rather than written."""
        return self.answerer == EXTRACTIVE


@dataclass(frozen=True, slots=True)
class Scenarios:
    """All scenarios. ``sha256``: of the file."""

    version: str
    sha256: bytes
    by_name: Mapping[str, Scenario]

    def of(self, name: str) -> Scenario:
        """Return a scenario, the default for an empty name. Raises NotFound (SCENARIO_UNKNOWN)."""
        found = self.by_name.get(name or DEFAULT_SCENARIO)
        if found is None:
            raise NotFound("there is no such scenario", reason="SCENARIO_UNKNOWN")
        return found

    @classmethod
    def from_document(cls, document: Any, sha256: bytes) -> Self:
        """Read the table. Raises InvalidDocument naming the place."""
        if not isinstance(document, dict) or document.keys() != {"version", "scenarios"} or not isinstance(document["version"], str):
            raise InvalidDocument("must have version (a text) and scenarios")
        table = document["scenarios"]
        if not isinstance(table, dict) or not table:
            raise InvalidDocument("scenarios: must name at least one")
        return cls(document["version"], sha256, {str(name): _scenario(str(name), each) for name, each in table.items()})


def _scenario(name: str, stated: Any) -> Scenario:
    if not isinstance(stated, dict) or stated.keys() != {*_WHOLE, *_TEXTS}:
        raise InvalidDocument(f"scenarios.{name}: must have {', '.join(sorted({*_WHOLE, *_TEXTS}))} and nothing else")
    for field, (least, most) in _WHOLE.items():
        if type(stated[field]) is not int or not least <= stated[field] <= most:
            raise InvalidDocument(f"scenarios.{name}.{field}: must be a whole number from {least} to {most}")
    for field in _TEXTS:
        if not isinstance(stated[field], str) or not stated[field]:
            raise InvalidDocument(f"scenarios.{name}.{field}: must be a text")
    return Scenario(name=name, **stated)
