"""Files of rules, channels and rates: the last good version stays. Rules on trial are never a reason to be unwell."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from meshkit.errors import FailedPrecondition
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
        assert held.reload_if_changed() == (content != b"{")
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
    assert held.reload_if_changed()
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


def deep(text: str) -> str:
    return text + "[" * 5_000


def doubled(text: str) -> str:
    """Every key of the file a second time."""
    return text.replace("{", '{"version": "1", "version": "1", ', 1) if text.startswith("{") else text + text


def spoil_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def rewrite(change: Callable[[str], str]) -> Callable[[Path], object]:
    return lambda path: path.write_text(change(path.read_text("utf-8")), "utf-8")


SPOILED: dict[str, Callable[[Path], object]] = {
    "half": rewrite(lambda text: text[: len(text) // 2 + 7]),
    "empty": rewrite(lambda _: ""),
    "a list": rewrite(lambda _: "[1, 2]"),
    "duplicate keys": rewrite(doubled),
    "deep": rewrite(deep),
    "not UTF-8": lambda path: path.write_bytes(path.read_bytes() + "渠道".encode("gb18030")),
    "a NUL": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "gone": Path.unlink,
    "a folder": spoil_folder,
    "unreadable words": rewrite(lambda text: text.replace(": ", ": &a ").replace("{", "*a")),
}


@pytest.mark.parametrize("name", ["anti-fraud.json", "channels.yaml", "rates.yaml"])
@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_file_keeps_the_last_good_version_and_is_named_at_the_first_load(folder: Path, name: str, how: str) -> None:
    health = Mock()
    held = policies(folder, health, None)
    before = held.current()
    good = (folder / name).read_bytes()
    SPOILED[how](folder / name)
    assert not held.reload_if_changed()
    assert held.current() is before
    if name != "rates.yaml":  # these are fixed for the life of the process
        health.degraded.assert_called_once_with("policies", "POLICY_FILE_INVALID")
    with pytest.raises(FailedPrecondition, match=name):
        policies(folder, health, None)
    (folder / name).rmdir() if how == "a folder" else (folder / name).unlink(missing_ok=True)
    (folder / name).write_bytes(good)
    held.reload_if_changed()
    assert health.mock_calls[-1] == (("recovered", ("policies",), {}))


CAPS = [
    "",
    "null",
    ".inf",
    ".nan",
    "[]",
    "[300]",
    "{}",
    "'300'",
    "true",
    "1e3",
    "300.0",
    "-1",
    "0",
    "9" * 400,
    "0x10",
    "2026-01-01",
    "&a 300",
    '"三百"',
]


@pytest.mark.parametrize("value", CAPS)
def test_what_stands_in_the_cap_instead_of_seconds_is_refused_with_its_place(folder: Path, value: str) -> None:
    health = Mock()
    held = policies(folder, health, None)
    before = held.current()
    path = folder / "channels.yaml"
    path.write_text(path.read_text().replace("interval_s: 300", f"interval_s: {value}"))
    if value == "&a 300":  # an anchor that nobody refers to is harmless
        assert held.reload_if_changed()
        return
    assert not held.reload_if_changed()
    assert held.current() is before
    with pytest.raises(FailedPrecondition, match=r"channels\.yaml.*(interval_s|plain decimal|line)"):
        policies(folder, health, None)


def test_a_shadow_file_of_any_kind_leaves_the_process_well(folder: Path) -> None:
    health, shadow = Mock(), folder / "shadow.json"
    held = policies(folder, health, shadow)
    for spoil in SPOILED.values():
        shadow.rmdir() if shadow.is_dir() else shadow.unlink(missing_ok=True)
        shutil.copy(folder / "anti-fraud.json", shadow)
        held.reload_if_changed()
        spoil(shadow)
        held.reload_if_changed()
        assert version(held) == (version(held) if shadow.exists() else None)
        policies(folder, health, shadow)
    health.degraded.assert_not_called()


async def test_the_watch_loads_on_a_thread_and_survives_everything(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("risk_scoring.adapters.file_policies._POLL_S", 0.001)
    health = Mock()
    held = policies(folder, health, None)
    reported = asyncio.Event()
    health.degraded.side_effect = lambda *_: reported.set()
    watching = asyncio.create_task(held.watch())
    (folder / "anti-fraud.json").write_text("{")
    async with asyncio.timeout(10):
        await reported.wait()
        (folder / "anti-fraud.json").write_bytes(changed("77"))
        while not held.current().rules.version.startswith("77+"):
            await asyncio.sleep(0.001)
    assert not watching.done()
    watching.cancel()
