"""Rules on trial beside rules in force: reloaded by themselves, and never a reason to be unwell."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest
from risk_scoring.adapters.file_policies import FilePolicies
from risk_scoring.domain.outcome import Thresholds

from tests.unit.risk_scoring.rule_sets import RULES, changed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("anti-fraud.json", "channels.yaml", "rates.yaml"):
        shutil.copy(RULES / name, tmp_path / name)
    return tmp_path


def policies(folder: Path, health: Mock, shadow: Path | None) -> FilePolicies:
    return FilePolicies(
        folder / "anti-fraud.json", folder / "channels.yaml", folder / "rates.yaml", Thresholds(0.3, 0.6, 0.9), health, shadow
    )


def version(held: FilePolicies) -> str | None:
    shadow = held.current().shadow
    return shadow and shadow.version.partition("+")[0]


def test_without_the_setting_nothing_is_on_trial(folder: Path) -> None:
    assert version(policies(folder, Mock(), None)) is None


def test_a_shadow_file_comes_changes_breaks_heals_and_goes(folder: Path) -> None:
    health, shadow = Mock(), folder / "shadow.json"
    held = policies(folder, health, shadow)
    live = held.current().rules
    assert version(held) is None
    for content, expected in ((changed("1"), "1"), (changed("22"), "22"), (b"{", "22"), (changed("333"), "333"), (None, None)):
        if content is None:
            shadow.unlink()
        else:
            shadow.write_bytes(content)
        assert held.reload_if_changed()
        assert version(held) == expected
        assert not held.reload_if_changed()
    assert held.current().rules is live
    health.degraded.assert_not_called()


def test_a_broken_shadow_file_is_no_reason_not_to_start(folder: Path) -> None:
    health = Mock()
    (folder / "shadow.json").write_text("no json")
    assert version(policies(folder, health, folder / "shadow.json")) is None
    health.degraded.assert_not_called()


def test_live_rules_that_break_do_not_take_the_trial_along(folder: Path) -> None:
    health = Mock()
    held = policies(folder, health, folder / "shadow.json")
    live = held.current().rules.version
    (folder / "shadow.json").write_bytes(changed("1"))
    (folder / "anti-fraud.json").write_text("no json")
    assert not held.reload_if_changed()
    health.degraded.assert_called_once_with("policies", "POLICY_FILE_INVALID")
    assert (held.current().rules.version, version(held)) == (live, "1")


def test_from_shadow_to_live_by_copying_the_file(folder: Path) -> None:
    health = Mock()
    held = policies(folder, health, folder / "shadow.json")
    (folder / "shadow.json").write_bytes(changed("9"))
    assert held.reload_if_changed()
    shutil.copy(folder / "shadow.json", folder / "anti-fraud.json")
    assert held.reload_if_changed()
    assert held.current().rules.version == held.current().shadow.version  # type: ignore[union-attr]
    health.degraded.assert_not_called()
