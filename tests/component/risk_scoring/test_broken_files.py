"""Rules, channels or rates that are broken at the first load: one line that names file and place, and exit status 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.risk_scoring.rule_sets import RULES


@pytest.mark.parametrize("process", ["rpc", "stream"])
@pytest.mark.parametrize(
    ("name", "setting", "old", "new", "said"),
    [
        ("anti-fraud.json", "FINMESH_RULES", '"version"', '"version": "1", "version"', "'version' occurs twice"),
        ("channels.yaml", "FINMESH_CHANNELS", "interval_s: 300", "interval_s:", "decline_cap.interval_s"),
        ("rates.yaml", "FINMESH_RATES", 'EUR: "7.8"', 'EUR: "7.8"\n  EUR: "8"', "'EUR' occurs twice in line"),
    ],
)
def test_one_line_and_status_2(tmp_path: Path, process: str, name: str, setting: str, old: str, new: str, said: str) -> None:
    path = tmp_path / name
    text = (RULES / name).read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", f"risk_scoring.main.{process}"],
        env={**os.environ, "FINMESH_LISTEN": "127.0.0.1:0", setting: str(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2
    assert last.startswith("cannot run: ") and name in last and said in last
    assert "Traceback" not in done.stderr
