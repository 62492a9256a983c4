"""Deny by default, deny on error, keep the last good policies."""

import contextlib
from pathlib import Path
from unittest.mock import Mock

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from meshkit.auth.policy import CedarPolicy, Question
from meshkit.clock import FakeClock
from meshkit.errors import FailedPrecondition

SCHEMA = """
entity Principal = { tenant: String, roles: Set<String>, purposes: Set<String> };
entity Tenant;
action Score, Read appliesTo {
  principal: [Principal], resource: [Tenant],
  context: { workload: String, scenario: String, purpose: String, grade: Long, tenant: String },
};
"""
PERMIT = 'permit (principal, action == Action::"Score", resource) when { principal.roles.contains("scorer") && context.grade <= 3 };'
QUESTION = Question("core", "bank-a", frozenset({"scorer"}), frozenset(), "client", "Score", "bank-a", "anti-fraud", "p", 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "schema.cedarschema").write_text(SCHEMA)
    (tmp_path / "a.cedar").write_text(PERMIT)
    return tmp_path


def test_only_what_is_permitted(folder: Path) -> None:
    policy = CedarPolicy(folder)
    assert policy.allows(QUESTION)
    assert not policy.allows(QUESTION._replace(action="Read"))
    assert not policy.allows(QUESTION._replace(grade=4))
    assert not policy.allows(QUESTION._replace(roles=frozenset()))


def test_an_action_that_the_schema_does_not_know_is_denied(folder: Path) -> None:
    assert not CedarPolicy(folder).allows(QUESTION._replace(action="Transfer"))


def test_an_evaluation_error_denies_although_cedar_would_allow(folder: Path) -> None:
    (folder / "b.cedar").write_text("forbid (principal, action, resource) when { context.grade * 9223372036854775807 > 0 };")
    policy = CedarPolicy(folder)
    assert not policy.allows(QUESTION._replace(grade=2))  # the forbid overflows and is skipped; Cedar says Allow with an error


@pytest.mark.parametrize("subject", ['core"', "core\n", "核心系统", 'x"]; permit(principal,action,resource);//'])
def test_a_subject_is_data(folder: Path, subject: str) -> None:
    assert CedarPolicy(folder).allows(QUESTION._replace(subject=subject))
    assert not CedarPolicy(folder).allows(QUESTION._replace(subject=subject, roles=frozenset()))


@pytest.mark.parametrize(
    "broken",
    [
        "permit (",
        'permit (principal, action == Action::"Transfer", resource);',
        "permit (principal, action, resource) when { context.nothing };",
    ],
)
async def test_a_broken_file_at_reload_keeps_the_last_good_policies(folder: Path, broken: str) -> None:
    policy = CedarPolicy(folder)
    before = policy.hash
    (folder / "b.cedar").write_text(broken)
    with pytest.raises(FailedPrecondition):
        await policy.reload()
    assert policy.hash == before
    assert policy.allows(QUESTION)
    with pytest.raises(FailedPrecondition):
        CedarPolicy(folder)


@pytest.mark.parametrize("deep", ["(" * 5_000 + "1 == 1" + ")" * 5_000, "if true then " * 20_000 + "true" + " else true" * 20_000])
def test_nesting_that_would_kill_the_process_is_refused(folder: Path, deep: str) -> None:
    (folder / "b.cedar").write_text(f"permit (principal, action, resource) when {{ {deep} }};")
    with pytest.raises(FailedPrecondition, match=r"b\.cedar is nested too deeply"):
        CedarPolicy(folder)


PIECES = st.sampled_from(
    ["permit", "forbid", "(", ")", "{", "}", "[", "]", "if", "then", "else", "when", ";", ",", '"', "'", "\\", "//", "\n", "::", "1"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PIECES).map(" ".join))
def test_pieces_of_policies_raise_nothing_else(folder: Path, text: str) -> None:
    (folder / "b.cedar").write_text(text)
    with contextlib.suppress(FailedPrecondition):
        CedarPolicy(folder).allows(QUESTION)


def test_brackets_in_texts_and_comments_do_not_nest(folder: Path) -> None:
    (folder / "b.cedar").write_text(f'// {"(" * 100}\nforbid (principal, action, resource) when {{ context.purpose == "{"(" * 100}" }};')
    assert CedarPolicy(folder).allows(QUESTION)


async def test_removing_every_policy_is_broken_too(folder: Path) -> None:
    policy = CedarPolicy(folder)
    (folder / "a.cedar").unlink()
    with pytest.raises(FailedPrecondition, match="no policy"):
        await policy.reload()


async def test_a_good_reload_changes_answers_and_hash_at_once(folder: Path) -> None:
    policy = CedarPolicy(folder, FakeClock())
    assert policy.allows(QUESTION)
    before = policy.hash
    (folder / "b.cedar").write_text("forbid (principal, action, resource);")
    await policy.reload()
    assert not policy.allows(QUESTION)
    assert policy.hash != before
    assert len(policy.hash) == 32


def test_moving_text_between_files_changes_the_hash(folder: Path) -> None:
    before = CedarPolicy(folder).hash
    (folder / "a.cedar").rename(folder / "c.cedar")
    assert CedarPolicy(folder).hash != before


def test_an_engine_that_panics_denies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = CedarPolicy(folder)
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})
    monkeypatch.setattr("meshkit.auth.policy.cedarpy.is_authorized", Mock(side_effect=panic("unreachable")))
    assert not policy.allows(QUESTION)


@pytest.mark.parametrize(("answer", "asked_again"), [(True, 0), (False, 0), (None, 1)], ids=["allowed", "denied", "failed"])
def test_an_answer_is_remembered_and_a_failure_for_a_second(
    folder: Path, monkeypatch: pytest.MonkeyPatch, answer: bool | None, asked_again: int
) -> None:
    clock = FakeClock()
    policy = CedarPolicy(folder, clock)
    asked: list[Question] = []
    monkeypatch.setattr(policy, "_ask", lambda question, _: asked.append(question) or answer)
    for _ in range(5):
        assert policy.allows(QUESTION) is bool(answer)
    assert len(asked) == 1
    clock.advance(1.0)
    policy.allows(QUESTION)
    assert len(asked) == 1 + asked_again
    policy.allows(QUESTION._replace(tenant="bank-b"))
    assert len(asked) == 2 + asked_again


async def test_other_policies_answer_anew_at_once(folder: Path) -> None:
    policy = CedarPolicy(folder, FakeClock())
    assert policy.allows(QUESTION)
    for file in folder.glob("*.cedar"):
        file.write_text("forbid (principal, action, resource);")
    await policy.reload()
    assert not policy.allows(QUESTION)
