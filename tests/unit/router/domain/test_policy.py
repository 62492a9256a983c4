"""The table of scenarios, and what is said of a request that is wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from meshkit.errors import FailedPrecondition, InvalidArgument, InvalidDocument, NotFound, PermissionDenied
from meshkit.strict_yaml import parse_yaml
from router.adapters.file_scenarios import file_scenarios
from router.domain.disaggregation import Mode
from router.domain.generation import Request, Sampling, Text
from router.domain.policy import Scenario, Scenarios

FILE = Path(__file__).parents[4] / "services/router/router/scenarios.yaml"
ASK = Request(tenant="bank-a", scenario="", model="", grade=2, input=Text("你好"))


def document() -> Any:
    return parse_yaml(FILE.read_bytes())


@pytest.fixture
def scenario() -> Scenario:
    return Scenarios.from_document(document()).get("")


def test_the_file_that_comes_with_the_service(scenario: Scenario) -> None:
    assert scenario.name == "assistant"
    assert scenario.disaggregation is Mode.ALWAYS
    assert scenario.limits.replay
    assert scenario.limits.alone_tokens == 1024


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("models", []),
        ("models", ["a", 1]),
        ("models", "a"),
        ("highest_grade", 6),
        ("highest_grade", True),
        ("default_output_tokens", 0),
        ("default_output_tokens", 2000),
        ("max_choices", 5),
        ("priority", 10),
        ("queue_ttl_s", -1),
        ("queue_ttl_s", "10"),
        ("disaggregation", "sometimes"),
        ("disaggregation", None),
        ("threshold_tokens", 1.5),
        ("on_stream_break", True),
        ("extra", 1),
    ],
)
def test_a_wrong_table_names_the_place(field: str, value: object) -> None:
    wrong = document()
    wrong["scenarios"]["assistant"][field] = value
    with pytest.raises(InvalidDocument) as refused:
        Scenarios.from_document(wrong)
    assert refused.value.reason == "SCENARIOS_INVALID"
    assert "assistant" in refused.value.message


def with_standbys(*entries: Any) -> Any:
    made = document()
    made["scenarios"]["assistant"] |= {"models": ["a", "b", "丙"], "standby": list(entries)}
    return made


STANDBY = {"for": "a", "model": "b", "highest_grade": 2, "purposes": ["staff-assistance"], "when_full": False}


def test_standbys_in_order() -> None:
    others = STANDBY | {"model": "丙"}, STANDBY | {"for": "b", "model": "a"}
    scenario = Scenarios.from_document(with_standbys(STANDBY, *others)).get("")
    assert [each.model for each in scenario.standbys_of("a")] == ["b", "丙"]
    assert [each.model for each in scenario.standbys_of("b")] == ["a"]
    assert scenario.standbys_of("丙") == ()


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "b",
        {key: value for key, value in STANDBY.items() if key != "purposes"},
        STANDBY | {"extra": 1},
        STANDBY | {"model": "gpt-5"},
        STANDBY | {"for": "gpt-5"},
        STANDBY | {"model": ["b"]},
        STANDBY | {"for": "b"},
        STANDBY | {"highest_grade": 4},  # the scenario's is 3
        STANDBY | {"highest_grade": 0},
        STANDBY | {"highest_grade": True},
        STANDBY | {"purposes": []},
        STANDBY | {"purposes": ["a", ""]},
        STANDBY | {"purposes": "staff-assistance"},
        STANDBY | {"when_full": "no"},
        STANDBY,  # the second of its kind
    ],
)
def test_a_wrong_standby_names_the_place(wrong: Any) -> None:
    with pytest.raises(InvalidDocument) as refused:
        Scenarios.from_document(with_standbys(STANDBY, wrong))
    assert refused.value.reason == "SCENARIOS_INVALID"
    assert "assistant" in refused.value.message and "standby[1]" in refused.value.message


@pytest.mark.parametrize("wrong", [None, {}, "b", {"a": "b"}])
def test_standbys_are_a_list(wrong: Any) -> None:
    made = with_standbys()
    made["scenarios"]["assistant"]["standby"] = wrong
    with pytest.raises(InvalidDocument, match="standby must be a list"):
        Scenarios.from_document(made)


def test_a_standby_whose_files_are_not_here_is_refused_at_load(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.yaml"
    path.write_text(json.dumps(with_standbys(STANDBY)))
    assert file_scenarios(path, ["b"]).value.get("").standbys_of("a")
    with pytest.raises(FailedPrecondition, match="standby b is none of the models") as refused:
        file_scenarios(path, ["a"])
    assert refused.value.reason == "SCENARIOS_INVALID"


@pytest.mark.parametrize("wrong", [None, [], {}, {"version": "1", "scenarios": {}}, {"version": "", "scenarios": {"a": {}}}])
def test_what_is_no_table(wrong: object) -> None:
    with pytest.raises(InvalidDocument):
        Scenarios.from_document(wrong)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"grade": 0}, "GRADE_UNKNOWN"),
        ({"frequency_penalty": 0.1}, "PENALTIES_UNSUPPORTED"),
        ({"presence_penalty": -0.1}, "PENALTIES_UNSUPPORTED"),
        ({"has_logit_bias": True}, "LOGIT_BIAS_UNSUPPORTED"),
        ({"sampling": Sampling(choices=5)}, "CHOICES_TOO_MANY"),
        ({"sampling": Sampling(temperature=2.1)}, "SAMPLING_INVALID"),
        ({"sampling": Sampling(temperature=-0.1)}, "SAMPLING_INVALID"),
        ({"sampling": Sampling(temperature=float("nan"))}, "SAMPLING_INVALID"),
        ({"sampling": Sampling(top_p=1.5)}, "SAMPLING_INVALID"),
        ({"sampling": Sampling(top_p=float("inf"))}, "SAMPLING_INVALID"),
        ({"sampling": Sampling(top_logprobs=21)}, "SAMPLING_INVALID"),
        ({"json_schema": "模" * 30_000}, "SCHEMA_INVALID"),
        ({"json_schema": "{"}, "SCHEMA_INVALID"),
        ({"json_schema": '{"a": 1, "a": 2}'}, "SCHEMA_INVALID"),
        ({"json_schema": "[]"}, "SCHEMA_INVALID"),
        ({"json_schema": "[" * 5_000}, "SCHEMA_INVALID"),
    ],
)
def test_a_wrong_request_is_refused_by_name(scenario: Scenario, wrong: dict[str, Any], reason: str) -> None:
    scenario.check(ASK)
    with pytest.raises(InvalidArgument) as refused:
        scenario.check(replace(ASK, **wrong))
    assert refused.value.reason == reason
    assert refused.value.violations


def test_a_grade_above_the_scenario_s_is_forbidden(scenario: Scenario) -> None:
    with pytest.raises(PermissionDenied) as refused:
        scenario.check(replace(ASK, grade=4))
    assert refused.value.reason == "GRADE_TOO_HIGH"


def test_models_and_scenarios_that_are_not_listed() -> None:
    scenarios = Scenarios.from_document(document())
    with pytest.raises(NotFound) as refused:
        scenarios.get("无")
    assert refused.value.reason == "SCENARIO_UNKNOWN"
    with pytest.raises(NotFound) as refused:
        scenarios.get("assistant").model("gpt-5")
    assert refused.value.reason == "MODEL_UNKNOWN"


def test_the_bound_on_output(scenario: Scenario) -> None:
    assert scenario.output_tokens(0, 1000) == 256
    assert scenario.output_tokens(0, 100) == 100  # never more than the row holds
    assert scenario.output_tokens(7, 1000) == 7
    for asked, room, reason in [(1025, 2000, "MAX_OUTPUT_TOKENS"), (1, 0, "PROMPT_TOO_LONG")]:
        with pytest.raises(InvalidArgument) as refused:
            scenario.output_tokens(asked, room)
        assert refused.value.reason == reason
