"""What each scenario may use and how its requests are served: one immutable, versioned table; `scenarios.yaml`.

What is wrong with a request, apart from its prompt and its stop strings, is said here, before any work, by name.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from meshkit.errors import FieldViolation, InvalidArgument, InvalidDocument, NotFound, PermissionDenied
from meshkit.strict_json import parse_json

from router.domain.attempts import Limits
from router.domain.disaggregation import Mode
from router.domain.generation import Request, Sampling
from router.domain.standby import Standby, standbys

SCENARIOS_INVALID = "SCENARIOS_INVALID"
DEFAULT_SCENARIO = "assistant"
MAX_CHOICES, MAX_SCHEMA_BYTES = 4, 64 * 1024
_WHOLE = {
    "highest_grade": (1, 5),
    "default_output_tokens": (1, 1 << 20),
    "max_output_tokens": (1, 1 << 20),
    "max_choices": (1, MAX_CHOICES),
    "priority": (0, 9),
    "threshold_tokens": (0, 1 << 20),
    "alone_tokens": (0, 1 << 20),
}
_FIELDS = {*_WHOLE, "models", "queue_ttl_s", "disaggregation", "on_stream_break"}
_MORE = {"standby"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. ``models``: names, the first is the default."""

    name: str
    models: tuple[str, ...]
    highest_grade: int
    default_output_tokens: int
    max_output_tokens: int
    max_choices: int
    priority: int
    queue_ttl_s: float
    disaggregation: Mode
    threshold_tokens: int
    limits: Limits
    standbys: tuple[Standby, ...] = ()

    def model(self, asked: str) -> str:
        """Return the model that a request gets. Raises NotFound (MODEL_UNKNOWN) for one that the scenario does not list."""
        if asked and asked not in self.models:
            raise model_unknown()
        return asked or self.models[0]

    def standbys_of(self, model: str) -> tuple[Standby, ...]:
        """Return the equivalents of a model, in order."""
        return tuple(each for each in self.standbys if each.instead_of == model)

    def output_tokens(self, asked: int, room: int) -> int:
        """Return the bound on output. ``room``: what is left of the row behind the prompt. Raises InvalidArgument."""
        if asked > self.max_output_tokens:
            raise invalid("MAX_OUTPUT_TOKENS", "max_output_tokens", f"at most {self.max_output_tokens} in this scenario")
        if room < 1:
            raise invalid("PROMPT_TOO_LONG", "input", "the prompt leaves no room for an answer")
        return min(asked or self.default_output_tokens, room)

    def check(self, request: Request) -> None:
        """Raise InvalidArgument, or PermissionDenied for a grade too high, for what is wrong with a request whatever the model."""
        if not 1 <= request.grade <= 5:
            raise invalid("GRADE_UNKNOWN", "grade", "L1 to L5")
        if request.grade > self.highest_grade:
            raise PermissionDenied("data of this grade may not go into a prompt of this scenario", reason="GRADE_TOO_HIGH")
        if request.frequency_penalty or request.presence_penalty:
            raise invalid("PENALTIES_UNSUPPORTED", "frequency_penalty, presence_penalty", "penalties are not supported")
        if request.has_logit_bias:
            raise invalid("LOGIT_BIAS_UNSUPPORTED", "logit_bias", "is not supported")
        _check_schema(request.json_schema.encode())
        _check_sampling(request.sampling, self.max_choices)


def _check_schema(content: bytes) -> None:
    """What the engine's compiler says of it comes later; this much needs no compiler."""
    if not content:
        return
    if len(content) > MAX_SCHEMA_BYTES:
        raise invalid("SCHEMA_INVALID", "grammar.json_schema", f"at most {MAX_SCHEMA_BYTES} bytes")
    try:
        schema = parse_json(content)
    except InvalidDocument:
        raise invalid("SCHEMA_INVALID", "grammar.json_schema", "is no JSON document") from None
    if not isinstance(schema, dict | bool):
        raise invalid("SCHEMA_INVALID", "grammar.json_schema", "a schema is an object")


def _check_sampling(sampling: Sampling, max_choices: int) -> None:
    if sampling.choices > max_choices:
        raise invalid("CHOICES_TOO_MANY", "sampling.choices", f"1 to {max_choices}")
    if not (math.isfinite(sampling.temperature) and 0 <= sampling.temperature <= 2):
        raise invalid("SAMPLING_INVALID", "sampling.temperature", "0 to 2")
    if not (math.isfinite(sampling.top_p) and 0 <= sampling.top_p <= 1):
        raise invalid("SAMPLING_INVALID", "sampling.top_p", "0 to 1")
    if sampling.top_logprobs > 20:
        raise invalid("SAMPLING_INVALID", "sampling.top_logprobs", "0 to 20")


@dataclass(frozen=True, slots=True)
class Scenarios:
    """All scenarios under one version. ``sha256``: of the file."""

    version: str
    by_name: Mapping[str, Scenario]
    sha256: bytes = b""

    def get(self, name: str) -> Scenario:
        """Return a scenario. Raises NotFound (SCENARIO_UNKNOWN)."""
        found = self.by_name.get(name or DEFAULT_SCENARIO)
        if found is None:
            raise NotFound("there is no such scenario", reason="SCENARIO_UNKNOWN")
        return found

    def check_standbys(self, served: Collection[str]) -> None:
        """Raise InvalidDocument for a standby that is not served: it would be missed when it is needed."""
        for scenario in self.by_name.values():
            for each in scenario.standbys:
                if each.model not in served:
                    raise _wrong(f"scenario {scenario.name}: standby {each.model} is none of the models that are served here")

    @classmethod
    def from_document(cls, document: Any, sha256: bytes = b"") -> Self:
        """Build from the parsed file; raises InvalidDocument that names the place and what is wrong."""
        if not isinstance(document, Mapping) or set(document) != {"version", "scenarios"}:
            raise _wrong("the table needs version and scenarios, and nothing else")
        version, scenarios = document["version"], document["scenarios"]
        if not isinstance(version, str) or not 0 < len(version) <= 100 or not version.isprintable():
            raise _wrong("version: must be a text of 1 to 100 characters")
        if not isinstance(scenarios, Mapping) or not scenarios:
            raise _wrong("scenarios: there must be one at least")
        return cls(version, {name: _scenario(name, fields) for name, fields in scenarios.items()}, sha256)


def _scenario(name: str, fields: Any) -> Scenario:
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise _wrong("scenarios: a name has 1 to 100 characters")
    if not isinstance(fields, Mapping) or set(fields) - _MORE != _FIELDS:
        raise _wrong(f"scenario {name}: needs exactly {', '.join(sorted(_FIELDS))}, and may have {', '.join(sorted(_MORE))}")
    for field, (least, most) in _WHOLE.items():
        if not isinstance(fields[field], int) or isinstance(fields[field], bool) or not least <= fields[field] <= most:
            raise _wrong(f"scenario {name}: {field} must be a whole number from {least} to {most}")
    models, ttl_s = fields["models"], fields["queue_ttl_s"]
    if not isinstance(models, list) or not models or not all(isinstance(model, str) and model for model in models):
        raise _wrong(f"scenario {name}: models must be a list of names")
    if not isinstance(ttl_s, int | float) or isinstance(ttl_s, bool) or not 0 <= ttl_s <= 600:
        raise _wrong(f"scenario {name}: queue_ttl_s must be a number from 0 to 600")
    if fields["default_output_tokens"] > fields["max_output_tokens"]:
        raise _wrong(f"scenario {name}: default_output_tokens is above max_output_tokens")
    mode = _word(name, fields, "disaggregation", tuple(each.value for each in Mode))
    replay = _word(name, fields, "on_stream_break", ("replay", "error")) == "replay"
    try:
        listed = standbys(fields.get("standby", []), models, fields["highest_grade"])
    except ValueError as error:
        raise _wrong(f"scenario {name}: {error}") from None
    return Scenario(
        name=name,
        models=tuple(models),
        queue_ttl_s=float(ttl_s),
        disaggregation=Mode(mode),
        limits=Limits(alone_tokens=fields["alone_tokens"], replay=replay),
        standbys=listed,
        **{field: fields[field] for field in _WHOLE if field != "alone_tokens"},
    )


def _word(scenario: str, fields: Mapping[str, Any], field: str, words: tuple[str, ...]) -> str:
    value = fields[field]
    if not isinstance(value, str) or value not in words:
        raise _wrong(f"scenario {scenario}: {field} must be one of {', '.join(words)}, quoted")
    return value


def _wrong(said: str) -> InvalidDocument:
    return InvalidDocument(said, reason=SCENARIOS_INVALID)


def invalid(reason: str, field: str, problem: str) -> InvalidArgument:
    """Return the error of a request that is wrong in one place."""
    return InvalidArgument(f"{field}: {problem}", reason=reason, metadata={"field": field}, violations=(FieldViolation(field, problem),))


def model_unknown() -> NotFound:
    """Return the error of a model that the caller may not use, or that is not there: it looks the same."""
    return NotFound("there is no such model", reason="MODEL_UNKNOWN")
