"""`python -m risk_scoring.main.history` as it is typed: files that cannot serve are one line and status 2, before anybody is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 2, "usage"),
        (("a", "b", "c"), 2, "usage"),
        (("missing",), 2, "missing"),
        (("empty", "missing"), 2, "missing"),
        (("文件 夹",), 2, "文件 夹"),
        (("empty",), 3, "not imported"),
    ],
)
def test_it_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...], status: int, told: str) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "文件 夹").mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FINMESH_")}
    nobody = {
        "FINMESH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "FINMESH_REDIS__URL": "redis://127.0.0.1:1/0",
        "FINMESH_RATES": str(ROOT / "services/risk-scoring/rules/rates.yaml"),
        "FINMESH_ALLOW_DEVELOPMENT_KEYS": "true",
    }
    command = [sys.executable, "-m", "risk_scoring.main.history", *arguments]
    done = subprocess.run(command, env=clean | nobody, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
