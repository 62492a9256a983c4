"""The search that the local Milvus Lite server is given finds what its own finds."""

import json
import subprocess
from pathlib import Path

import localmesh
from localmesh.places import Places


def test_both_searches_find_the_same() -> None:
    python = Places.default().milvus_python / "bin" / "python"
    script = Path(__file__).with_name("milvus_lite_searches.py")
    done = subprocess.run(
        [python, script, str(Path(localmesh.__file__).parents[1])], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout.splitlines()[-1])
    assert counted["equal"] == counted["answers"] == 108
    assert 50 < counted["ours"] < 108
